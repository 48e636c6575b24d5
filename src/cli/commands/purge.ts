import { UserError } from '../../lib/errors.ts';
import type { AddCommand } from '../command.ts';

export const addPurge: AddCommand = (program, run) => {
  program
    .command('purge')
    .summary('remove everything of this root: projects, volumes, images, the daemon')
    .description(
      'Removes all projects with their volumes, all images and networks, the proxy, the daemon and its folder.\n' +
        'Nothing of this root is left on the machine. There is no way back, so it asks for --yes.',
    )
    .option('--yes', 'yes, remove everything')
    .action(
      run(async (session, options: { yes?: boolean }) => {
        if (options.yes !== true) throw notConfirmed(session.root);
        const client = await session.connect();
        await client.purge((line) => void session.host.stderr.write(`${line}\n`));
        await session.host.daemon.erase(session.root);
        return 0;
      }),
    );
};

function notConfirmed(root: string): UserError {
  return new UserError({
    code: 'not-confirmed',
    kind: 'invalid',
    message: `this would remove every project, volume and image of ${root}`,
    fix: 'If that is what you want: bascule purge --yes',
  });
}
