import { loginPlaceOf, removeContext, useContext, writeContext } from '../../lib/docker-config/index.ts';
import type { AddCommand } from '../command.ts';
import type { Session } from '../session.ts';

const DESCRIPTION = 'Bascule';

interface ContextOptions {
  readonly use?: boolean;
  readonly remove?: boolean;
}

/** For the tools that people already have: the engine is served as the Docker Engine API. */
export const addEngine: AddCommand = (program, run) => {
  const engine = program
    .command('engine')
    .summary('use the engine with docker, docker-compose and other tools')
    .description('The engine is served as the Docker Engine API: docs/docker-api.md.');
  engine
    .command('context')
    .summary('make a docker context of the engine, for docker --context')
    .description(
      'Writes a context where docker keeps them (~/.docker or $DOCKER_CONFIG): `docker --context bascule ps`.\n' +
        'With --use docker speaks to the engine from now on; `docker context use default` takes that back.',
    )
    .argument('[name]', 'name of the context', 'bascule')
    .option('--use', 'make it the current one')
    .option('--remove', 'remove it')
    .action(run((session, name: string, options: ContextOptions) => context(session, name, options)));
  engine
    .command('env')
    .summary('print DOCKER_HOST for a shell: eval "$(bascule engine env)"')
    .action(
      run(async (session) => {
        const host = await hostOf(session);
        if (session.json) session.printJson({ DOCKER_HOST: host });
        else session.print(`export DOCKER_HOST=${host}\n`);
        return 0;
      }),
    );
};

async function context(session: Session, name: string, { use, remove }: ContextOptions): Promise<number> {
  const place = loginPlaceOf(session.host.env);
  const isOurs = (description: string): boolean => description.startsWith(DESCRIPTION);
  if (remove === true) {
    const wasThere = await removeContext(place, name, isOurs);
    if (session.json) session.printJson({ name, removed: wasThere });
    else session.print(wasThere ? `${name} is removed\n` : `there was no context ${name}\n`);
    return 0;
  }
  const host = await hostOf(session);
  await writeContext(place, { name, description: `${DESCRIPTION}, ${session.root}`, host }, isOurs);
  if (use === true) await useContext(place, name);
  if (session.json) session.printJson({ name, host, current: use === true });
  else session.print(use === true ? `docker speaks to ${host}\n` : `docker --context ${name} speaks to ${host}\n`);
  return 0;
}

/** The daemon's engine; it is started where it does not run, so that the socket is there. */
async function hostOf(session: Session): Promise<string> {
  await session.connect();
  const { engineSocket } = await session.host.daemon.status(session.root);
  return `unix://${engineSocket}`;
}
