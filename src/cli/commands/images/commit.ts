import type { Command } from 'commander';
import { collect } from '../../arguments.ts';
import type { RunAction } from '../../command.ts';

interface CommitOptions {
  readonly author?: string;
  readonly change?: readonly string[];
  readonly message?: string;
  readonly pause: boolean;
}

export function addCommit(image: Command, run: RunAction): void {
  image
    .command('commit')
    .summary('make an image of what a container has become')
    .argument('<container>', 'name or id; `bascule ps` shows instances')
    .argument('[name]', 'name of the image, e.g. shop/web:fixed')
    .option('--author <name>', 'who made it')
    .option('-c, --change <instruction>', 'as in a Dockerfile, e.g. \'CMD ["/bin/sh"]\'; several times', collect)
    .option('-m, --message <text>', 'note in the history')
    .option('--no-pause', 'let the container run on while its files are read')
    .action(
      run(async (session, container: string, reference: string | undefined, options: CommitOptions) => {
        const { author, change = [], message, pause } = options;
        const client = await session.connect();
        const body = { container, reference, author, message, changes: [...change], pause };
        const { id } = await client.commitContainer(body);
        if (session.json) session.printJson({ id, ...(reference === undefined ? {} : { reference }) });
        else session.print(`${id}\n`);
        return 0;
      }),
    );
}
