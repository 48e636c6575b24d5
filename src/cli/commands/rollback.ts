import type { AddCommand } from '../command.ts';
import { parseCount } from '../arguments.ts';
import { watchRollout } from '../rollout.ts';

export const addRollback: AddCommand = (program, run) => {
  program
    .command('rollback')
    .summary('tip traffic back to an earlier release')
    .description(
      'Tips all traffic back to the release before the current one, or to RELEASE.\n' +
        'A release that is still warm serves at once; any other is started from its frozen images first.',
    )
    .argument('[release]', 'number of the release', parseCount)
    .action(
      run(async (session, release: number | undefined) => {
        const client = await session.connect();
        const project = await session.project(client);
        const body = { author: session.author, ...(release === undefined ? {} : { release }) };
        return watchRollout(session, client, { start: (onlooker) => client.rollback(project, body, onlooker) });
      }),
    );
};
