import type { ReleaseView, Streamed } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import { formatAge, renderTable } from '../output/table.ts';

export const addReleases: AddCommand = (program, run) => {
  program
    .command('releases')
    .summary('list the releases of this project, newest first')
    .action(
      run(async (session) => {
        const client = await session.connect();
        const releases = await client.releases(await session.project(client));
        if (session.json) session.printJson(releases);
        else
          session.print(
            renderTable(
              HEADINGS,
              releases.map((release) => rowOf(release, new Date())),
            ),
          );
        return 0;
      }),
    );
};

const HEADINGS = ['RELEASE', 'STATE', 'CREATED', 'AUTHOR', 'REVISION', 'SERVICES'] as const;

function rowOf(release: Streamed<ReleaseView>, now: Date): readonly string[] {
  const services = release.services.map(
    ({ name, replicas, imageId }) =>
      `${name}${replicas === 1 ? '' : `×${replicas}`}@${imageId.replace('sha256:', '').slice(0, 12)}`,
  );
  return [
    String(release.number),
    release.state,
    formatAge(new Date(release.createdAt), now),
    release.author,
    release.sourceRevision?.slice(0, 12) ?? '-',
    services.join(' '),
  ];
}
