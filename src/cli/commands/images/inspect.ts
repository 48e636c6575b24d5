import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';

export function addInspect(image: Command, run: RunAction): void {
  image
    .command('inspect')
    .summary('print everything about an image as JSON')
    .argument('<name>', 'reference or id')
    .action(
      run(async (session, name: string) => {
        session.printJson(await (await session.connect()).inspectImage(name));
        return 0;
      }),
    );
}
