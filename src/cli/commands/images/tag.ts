import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';

export function addTag(image: Command, run: RunAction): void {
  image
    .command('tag')
    .summary('give an image another name')
    .argument('<image>', 'reference or id')
    .argument('<name>', 'the new name, e.g. shop/web:2; an image that has it loses it')
    .action(
      run(async (session, name: string, reference: string) => {
        await (await session.connect()).tagImage(name, reference);
        if (session.json) session.printJson({ image: name, reference });
        return 0;
      }),
    );
}
