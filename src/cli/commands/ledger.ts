import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Client } from '../../server/client/index.ts';
import { parseCount } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import { exitCodeOfOutcome } from '../exit-codes.ts';
import { renderLedgerPage } from '../ledger-page/page.ts';
import { renderLedger, renderLedgers } from '../output/ledger.ts';
import type { Session } from '../session.ts';

interface Options {
  readonly all?: boolean;
  readonly html?: boolean;
  readonly output?: string;
}

export const addLedger: AddCommand = (program, run) => {
  program
    .command('ledger')
    .summary('show the evidence of a rollout: steps, requests, losses, times')
    .argument('[rollout]', 'number of the rollout (default: the latest)', parseCount)
    .option('-a, --all', 'one line for each rollout')
    .option('--html', 'as one page with plots, for a browser')
    .option('-o, --output <file>', 'write the page to a file; implies --html')
    .addHelpText('after', '\nThe exit code is 8 when the rollout lost requests.')
    .action(
      run(async (session, rollout: number | undefined, options: Options) => {
        const client = await session.connect();
        const project = await session.project(client);
        if (options.all === true) return await showAll(session, client, project);
        const ledger = await client.ledger(project, rollout);
        if (options.output !== undefined) await writePage(session, options.output, renderLedgerPage(ledger));
        else if (options.html === true) session.print(renderLedgerPage(ledger));
        else if (session.json) session.printJson(ledger);
        else session.print(renderLedger(ledger, session.style));
        return exitCodeOfOutcome(ledger);
      }),
    );
};

async function showAll(session: Session, client: Client, project: string): Promise<number> {
  const ledgers = await client.ledgers(project);
  if (session.json) session.printJson(ledgers);
  else session.print(renderLedgers(ledgers, new Date(), session.style));
  return 0;
}

async function writePage(session: Session, file: string, page: string): Promise<void> {
  const path = resolve(session.host.cwd, file);
  await writeFile(path, page);
  if (!session.json) session.print(`${path}\n`);
}
