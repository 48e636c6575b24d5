import type { Command } from 'commander';
import { UserError } from '../../lib/errors.ts';
import type { RunAction } from '../command.ts';
import { readPassword } from '../password.ts';

/** `registry user`: the htpasswd file of the registry. A registry that runs reads it again by itself. */
export function addRegistryUser(registry: Command, run: RunAction): void {
  const user = registry.command('user').summary('who may use the registry');
  user
    .command('add')
    .summary('add a user, or change the password; it is read from standard input')
    .description('The password is the first line of standard input: it never stands on the command line.')
    .argument('<name>', 'letters, digits and ._@-')
    .action(
      run(async (session, name: string) => {
        await session.host.registry.setPassword(session.root, name, await readPassword(session));
        if (session.json) session.printJson({ user: name });
        else session.print(`${name}\n`);
        return 0;
      }),
    );
  user
    .command('rm')
    .summary('remove a user; tokens that were given are good for up to 15 minutes')
    .argument('<name>')
    .action(
      run(async (session, name: string) => {
        if (!(await session.host.registry.removeUser(session.root, name))) throw noUser(name);
        if (session.json) session.printJson({ user: name });
        else session.print(`${name}\n`);
        return 0;
      }),
    );
  user
    .command('ls')
    .summary('list the users')
    .action(
      run(async (session) => {
        const names = await session.host.registry.users(session.root);
        if (session.json) session.printJson(names);
        else session.print(names.map((name) => `${name}\n`).join(''));
        return 0;
      }),
    );
}

function noUser(name: string): UserError {
  return new UserError({
    code: 'registry-user-unknown',
    kind: 'not-found',
    message: `the registry has no user "${name}"`,
    fix: '`bascule registry user ls` lists them.',
  });
}
