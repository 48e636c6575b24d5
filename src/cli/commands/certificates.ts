import type { CertificateView } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import { formatSpan, renderTable } from '../output/table.ts';

export const addCertificates: AddCommand = (program, run) => {
  program
    .command('certificates')
    .summary('list the certificates of published ports')
    .description(
      'Lists the certificates of every project: where they come from, when they end, when they are renewed,\n' +
        'and why one could not be had.',
    )
    .action(
      run(async (session) => {
        const all = await (await session.connect()).certificates();
        const now = new Date();
        if (session.json) session.printJson(all);
        else
          session.print(
            renderTable(
              HEADINGS,
              all.map((each) => rowOf(each, now)),
            ),
          );
        return 0;
      }),
    );
};

const HEADINGS = ['SERVICE', 'HOSTS', 'FROM', 'ISSUER', 'EXPIRES IN', 'RENEWAL', 'LAST ERROR'];
const SOURCES = { file: 'own file', acme: 'ACME' };
const NONE = '-';

function rowOf(view: CertificateView, now: Date): readonly string[] {
  const { service, hosts, source, issuer, notAfter, renewal, failures, lastError } = view;
  return [
    service ?? NONE,
    hosts.join(', ') || 'every host',
    SOURCES[source],
    issuer ?? NONE,
    notAfter === undefined ? NONE : spanTo(notAfter, now, 'has ended'),
    renewal === undefined ? NONE : `in ${spanTo(renewal, now, 'a moment')}`,
    lastError === undefined ? NONE : `${lastError} (${failures} ${failures === 1 ? 'time' : 'times'})`,
  ];
}

function spanTo(at: string, now: Date, past: string): string {
  const end = new Date(at);
  return end <= now ? past : formatSpan(now, end);
}
