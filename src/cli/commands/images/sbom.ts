import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { writeFileAtomic } from '../../../lib/files.ts';
import type { RunAction } from '../../command.ts';

export function addSbom(image: Command, run: RunAction): void {
  image
    .command('sbom')
    .summary('print what packages an image has')
    .description(
      'Reads the databases of dpkg, npm and Python in the image, and prints a bill of materials. The same image\n' +
        'always gives the same document.',
    )
    .argument('<name>', 'reference or id')
    .addOption(
      new Option('--format <format>', 'form of the document')
        .choices(['cyclonedx-json', 'spdx-json'])
        .default('cyclonedx-json'),
    )
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .action(
      run(async ({ host, ...session }, name: string, { format, output }: { format: string; output?: string }) => {
        const { document } = await (await session.connect()).sbom(name, format);
        const text = document.endsWith('\n') ? document : `${document}\n`;
        if (output === undefined) session.print(text);
        else await writeFileAtomic(resolve(host.cwd, output), text);
        return 0;
      }),
    );
}
