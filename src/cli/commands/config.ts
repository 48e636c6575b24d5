import type { AddCommand } from '../command.ts';

export const addConfig: AddCommand = (program, run) => {
  program
    .command('config')
    .summary('check the Compose file and print it in its canonical form')
    .option('-q, --quiet', 'only check')
    .action(
      run(async (session, options: { quiet?: boolean }) => {
        const project = await (await session.connect()).config(session.source());
        if (options.quiet === true) return 0;
        if (session.json) session.printJson(project);
        else session.print((await import('yaml')).stringify(project));
        return 0;
      }),
    );
};
