import type { AddCommand } from '../command.ts';
import { renderTable } from '../output/table.ts';
import { watchWork } from '../rollout.ts';
import { deployBody } from './deploy.ts';

export const addBuild: AddCommand = (program, run) => {
  program
    .command('build')
    .summary('build the images of services with `build:`, and nothing else')
    .option('--no-cache', 'build every step anew')
    .action(
      run(async (session, options: { cache: boolean }) => {
        const client = await session.connect();
        const body = deployBody(session, { cache: options.cache });
        const built = await watchWork(session, client, { start: (onlooker) => client.build(body, onlooker) });
        if (session.json) session.printJson(built);
        else {
          const rows = built.map(({ service, imageName, imageId }) => [service, imageName, imageId.slice(7, 19)]);
          session.print(renderTable(['SERVICE', 'IMAGE', 'IMAGE ID'], rows));
        }
        return 0;
      }),
    );
};
