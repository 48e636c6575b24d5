import type { AddCommand } from '../command.ts';
import { watchRollout } from '../rollout.ts';

export const addDown: AddCommand = (program, run) => {
  program
    .command('down')
    .summary('stop this project and remove its instances and networks')
    .description(
      'Stops the project: routes, instances of all releases and networks are removed. Volumes stay unless --volumes.',
    )
    .option('-v, --volumes', 'remove the volumes too: their data is lost')
    .action(
      run(async (session, options: { volumes?: boolean }) => {
        const client = await session.connect();
        const project = await session.project(client);
        const body = { author: session.author, volumes: options.volumes ?? false };
        return watchRollout(session, client, { start: (onlooker) => client.down(project, body, onlooker) });
      }),
    );
};
