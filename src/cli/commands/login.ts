import { dropLogin, keepLogin, loginPlaceOf, registryNameOf } from '../../lib/docker-config/index.ts';
import { UserError } from '../../lib/errors.ts';
import type { AddCommand } from '../command.ts';
import { readPassword } from '../password.ts';

/** `login` and `logout`: in Docker's own file, so that `docker login` and `bascule login` are the same. */
export const addLogin: AddCommand = (program, run) => {
  program
    .command('login')
    .summary('log in to a registry')
    .description(
      'The registry is asked first. The login is kept as Docker keeps it: in ~/.docker/config.json ($DOCKER_CONFIG),\n' +
        'or in the credential helper that is named there. The password is read from standard input, or asked for.',
    )
    .argument('[registry]', 'for example registry.example.org; Docker Hub when absent')
    .requiredOption('-u, --username <name>', 'who you are there')
    .option('--password-stdin', 'the same as without: the password is the first line of standard input')
    .action(
      run(async (session, name: string | undefined, options: { username: string }) => {
        const registry = registryNameOf(name ?? '');
        const password = await readPassword(session);
        if (password === '') throw noPassword();
        const { username } = options;
        const { identityToken } = await (await session.connect()).loginTo({ registry, username, password });
        const token = identityToken === undefined ? {} : { identitytoken: identityToken };
        const place = loginPlaceOf(session.host.env);
        const { helper } = await keepLogin(place, { serveraddress: registry, username, password, ...token });
        const keptIn = helper === undefined ? place.file : `docker-credential-${helper}`;
        if (session.json) session.printJson({ registry, username, keptIn });
        else session.print(`logged in to ${registry} as ${username}; kept in ${keptIn}\n`);
        return 0;
      }),
    );
};

export const addLogout: AddCommand = (program, run) => {
  program
    .command('logout')
    .summary('forget the login of a registry')
    .argument('[registry]', 'Docker Hub when absent')
    .action(
      run(async (session, name: string | undefined) => {
        const registry = registryNameOf(name ?? '');
        const wasThere = await dropLogin(loginPlaceOf(session.host.env), registry);
        if (session.json) session.printJson({ registry, wasThere });
        else session.print(wasThere ? `logged out of ${registry}\n` : `there was no login of ${registry}\n`);
        return 0;
      }),
    );
};

function noPassword(): UserError {
  return new UserError({
    code: 'password-missing',
    kind: 'invalid',
    message: 'there is no password on standard input',
    fix: 'Pipe it in, e.g. `bascule login -u NAME REGISTRY < FILE`, or type it on a terminal.',
  });
}
