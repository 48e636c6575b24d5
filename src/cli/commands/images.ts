import type { Command } from 'commander';
import type { AddCommand, RunAction } from '../command.ts';
import { formatAge, formatBytes, renderTable } from '../output/table.ts';
import type { Session } from '../session.ts';
import { addImageBuild } from './image-build.ts';

export const addImages: AddCommand = (program, run) => {
  program
    .command('images')
    .summary('list the images of the engine')
    .action(run((session) => list(session)));
  const image = program.command('image').summary('work on images');
  image
    .command('ls')
    .summary('list images')
    .action(run((session) => list(session)));
  addImageBuild(image, run);
  addBootstrap(image, run);
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
};

function addBootstrap(image: Command, run: RunAction): void {
  image
    .command('bootstrap')
    .summary('make a base image from Debian or Ubuntu packages, from scratch')
    .description(
      'Makes a base image without any registry: debian:bookworm, debian:trixie, ubuntu:jammy, ubuntu:noble\n' +
        'by mmdebstrap, and busybox from busybox-static. `FROM debian:bookworm` then finds it.',
    )
    .argument('<reference>', 'for example debian:bookworm')
    .action(
      run(async (session, reference: string) => {
        const client = await session.connect();
        const stop = new AbortController();
        using _interrupts = session.host.onInterrupt(() => stop.abort());
        const result = await client.bootstrap(
          reference,
          (line) => void session.host.stderr.write(`${line}\n`),
          stop.signal,
        );
        if (session.json) session.printJson(result);
        else session.print(`${result.reference}\n`);
        return 0;
      }),
    );
}

async function list(session: Session): Promise<number> {
  const images = await (await session.connect()).images();
  if (session.json) {
    session.printJson(images);
    return 0;
  }
  const now = new Date();
  const rows = images.flatMap(({ id, references, createdAt, sizeBytes }) =>
    (references.length === 0 ? ['<none>:<none>'] : references).map((reference) => {
      const colon = reference.lastIndexOf(':');
      return [
        reference.slice(0, colon),
        reference.slice(colon + 1),
        id.replace('sha256:', '').slice(0, 12),
        formatAge(new Date(createdAt), now),
        formatBytes(sizeBytes),
      ];
    }),
  );
  session.print(renderTable(['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'], rows));
  return 0;
}
