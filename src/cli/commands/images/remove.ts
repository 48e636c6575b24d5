import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';

export function addRemove(image: Command, run: RunAction): void {
  image
    .command('rm')
    .summary('remove images')
    .argument('<names...>', 'references or ids')
    .option('--force', 'also when a release may be started from it, or several names point at it')
    .action(
      run(async (session, names: string[], options: { force?: boolean }) => {
        const client = await session.connect();
        for (const name of names) {
          const removed = await client.removeImage(name, options.force ?? false);
          if (session.json) session.printJson(removed);
          else session.print(`${name}\n`);
        }
        return 0;
      }),
    );
}
