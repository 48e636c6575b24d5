import type { Command } from 'commander';
import type { HistoryEntry, Streamed } from '../../../server/client/index.ts';
import type { RunAction } from '../../command.ts';
import { formatAge, formatBytes, renderTable } from '../../output/table.ts';
import { shortId } from './words.ts';

interface HistoryOptions {
  readonly trunc: boolean;
  readonly quiet?: boolean;
}

export function addHistory(image: Command, run: RunAction): void {
  image
    .command('history')
    .summary('list the steps that made an image, newest first')
    .argument('<name>', 'reference or id')
    .option('--no-trunc', 'whole ids and commands')
    .option('-q, --quiet', 'ids alone')
    .action(
      run(async (session, name: string, options: HistoryOptions) => {
        const entries = await (await session.connect()).imageHistory(name);
        if (session.json) session.printJson(entries);
        else if (options.quiet === true) session.print(entries.map((entry) => `${idOf(entry, options)}\n`).join(''));
        else session.print(renderHistory(entries, options, new Date()));
        return 0;
      }),
    );
}

type Entry = Streamed<HistoryEntry>;

const WIDEST_COMMAND = 45;

function renderHistory(entries: readonly Entry[], options: HistoryOptions, now: Date): string {
  const rows = entries.map((entry) => [
    idOf(entry, options),
    formatAge(new Date(entry.createdAt), now),
    options.trunc ? shortened(entry.createdBy) : entry.createdBy,
    formatBytes(entry.sizeBytes),
    entry.comment,
  ]);
  return renderTable(['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], rows);
}

function idOf({ id }: Entry, { trunc }: HistoryOptions): string {
  if (id === undefined) return '<missing>';
  return trunc ? shortId(id) : id;
}

/** On one line. */
function shortened(text: string): string {
  const command = text.replaceAll(/\s+/g, ' ');
  return command.length > WIDEST_COMMAND ? `${command.slice(0, WIDEST_COMMAND - 1)}…` : command;
}
