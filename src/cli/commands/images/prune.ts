import type { Command } from 'commander';
import { UserError } from '../../../lib/errors.ts';
import type { RunAction } from '../../command.ts';
import { formatBytes } from '../../output/table.ts';
import { collectFilter, type FilterOptions } from './words.ts';

interface PruneOptions extends FilterOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly buildCache?: boolean;
}

export function addPrune(image: Command, run: RunAction): void {
  image
    .command('prune')
    .summary('delete unused images')
    .description(
      'Deletes images without a name that no container was made of. With --all also those with names, apart from\n' +
        'what a container was made of and what a release may be started from.',
    )
    .option('-a, --all', 'also images with names; asks for --yes')
    .option(
      '--build-cache',
      'also results of build steps, and cache mounts; with --all those of images that are kept too',
    )
    .option('--filter <name=value>', 'label=KEY[=VALUE], label!=KEY[=VALUE], until=TIME; several times', collectFilter)
    .option('--yes', 'yes, delete all that is unused')
    .action(
      run(async (session, { all = false, yes = false, buildCache = false, filter = {} }: PruneOptions) => {
        if (all && !yes) throw notConfirmed();
        const result = await (
          await session.connect()
        ).pruneImages({ all, buildCache, filters: filter as Record<string, string[]> });
        if (session.json) {
          session.printJson(result);
          return 0;
        }
        const names = result.removed.flatMap(({ id, references }) => (references.length === 0 ? [id] : references));
        session.print(names.map((name) => `${name}\n`).join(''));
        session.print(`Total reclaimed space: ${formatBytes(result.freedBytes)}\n`);
        return 0;
      }),
    );
}

function notConfirmed(): UserError {
  return new UserError({
    code: 'not-confirmed',
    kind: 'invalid',
    message: 'this would delete every image that no container was made of and no release needs',
    fix: 'If that is what you want: bascule image prune --all --yes',
  });
}
