import type { Readable } from 'node:stream';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { collect } from '../../arguments.ts';
import type { RunAction } from '../../command.ts';
import type { Session } from '../../session.ts';
import { input, writeArchive } from './archive-files.ts';

/** Images and root file systems as files: save, load, export, import. */
export function addArchives(image: Command, run: RunAction): void {
  image
    .command('save')
    .summary('write images to an archive')
    .description('Writes a tar that both `docker load` and readers of OCI layouts take. Layers are not compressed.')
    .argument('<names...>', 'references or ids; a name without a tag means all its tags')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .option('--documents', 'with provenance and bills of materials, as referrers in the OCI layout')
    .action(
      run((session, names: string[], { output, documents = false }: SaveOptions) =>
        write(session, { output, what: { names } }, async (signal) =>
          (await session.connect()).saveImages({ names, documents }, signal),
        ),
      ),
    );
  addLoad(image, run);
  image
    .command('export')
    .summary("write a container's files to an archive")
    .argument('<container>', 'name or id; `bascule ps` shows instances')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .action(
      run((session, container: string, { output }: OutputOptions) =>
        write(session, { output, what: { container } }, async (signal) =>
          (await session.connect()).exportContainer(container, signal),
        ),
      ),
    );
  addImport(image, run);
}

interface OutputOptions {
  readonly output?: string;
}

interface SaveOptions extends OutputOptions {
  readonly documents?: boolean;
}

async function write(
  session: Session,
  o: { readonly output: string | undefined; readonly what: object },
  open: (signal: AbortSignal) => Promise<Readable>,
): Promise<number> {
  const stop = new AbortController();
  using _interrupts = session.host.onInterrupt(() => stop.abort());
  const bytes = await writeArchive(session.host, { output: o.output, open: () => open(stop.signal) });
  if (session.json && o.output !== undefined)
    session.printJson({ ...o.what, file: resolve(session.host.cwd, o.output), bytes });
  return 0;
}

function addLoad(image: Command, run: RunAction): void {
  image
    .command('load')
    .summary('load images from an archive')
    .description('Takes what `docker save` writes, and OCI layouts, compressed or not.')
    .option('-i, --input <file>', 'read this file instead of standard input')
    .option('-q, --quiet', 'print names alone')
    .action(
      run(async (session, options: { input?: string; quiet?: boolean }) => {
        const stop = new AbortController();
        using _interrupts = session.host.onInterrupt(() => stop.abort());
        const client = await session.connect();
        const { loaded } = await client.loadImages(await input(session.host, options.input), stop.signal);
        if (session.json) session.printJson({ loaded });
        else
          session.print(
            loaded.map((name) => (options.quiet === true ? `${name}\n` : `Loaded image: ${name}\n`)).join(''),
          );
        return 0;
      }),
    );
}

interface ImportOptions {
  readonly change?: readonly string[];
  readonly message?: string;
}

function addImport(image: Command, run: RunAction): void {
  image
    .command('import')
    .summary('make an image of the files in an archive')
    .argument('<file>', 'tar of a root file system, compressed or not; - for standard input')
    .argument('[name]', 'name of the image, e.g. base:1')
    .option('-c, --change <instruction>', 'as in a Dockerfile, e.g. \'CMD ["/bin/sh"]\'; several times', collect)
    .option('-m, --message <text>', 'note in the history')
    .action(
      run(async (session, file: string, reference: string | undefined, { change, message }: ImportOptions) => {
        const stop = new AbortController();
        using _interrupts = session.host.onInterrupt(() => stop.abort());
        const client = await session.connect();
        const archive = await input(session.host, file === '-' ? undefined : file);
        const { id } = await client.importImage(archive, { reference, message, change }, stop.signal);
        if (session.json) session.printJson({ id, ...(reference === undefined ? {} : { reference }) });
        else session.print(`${id}\n`);
        return 0;
      }),
    );
}
