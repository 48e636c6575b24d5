import { Option } from 'commander';
import type { ExecConnection } from '../../server/client/index.ts';
import { collectAssignment, parseCount } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import type { Session } from '../session.ts';

interface ExecOptions {
  readonly index?: number;
  readonly env?: Record<string, string>;
  readonly user?: string;
  readonly workdir?: string;
  readonly tty: boolean;
}

export const addExec: AddCommand = (program, run) => {
  program
    .command('exec')
    .summary('run a command in an instance of a service')
    .description('Runs a command in a running instance. Its exit code becomes that of this command.')
    .argument('<service>', 'name of the service')
    .argument('<command...>', 'command and its arguments')
    .option('--index <n>', 'which instance of the service, from 1', parseCount)
    .option('-e, --env <KEY=VALUE>', 'set a variable', collectAssignment)
    .option('-u, --user <user>', 'user, or uid[:gid]')
    .option('-w, --workdir <dir>', 'folder to start in')
    .option('-T, --no-tty', 'no terminal, even when this one is one')
    // Of docker's habit: what they ask for is what happens anyway.
    .addOption(new Option('-i, --interactive').hideHelp())
    .addOption(new Option('-t').hideHelp())
    .passThroughOptions()
    .action(
      run((session, service: string, args: string[], options: ExecOptions) =>
        exec(session, { service, args, options }),
      ),
    );
};

async function exec(
  session: Session,
  call: { service: string; args: readonly string[]; options: ExecOptions },
): Promise<number> {
  const { host } = session;
  const { service, args, options } = call;
  const client = await session.connect();
  const tty = options.tty && host.stdin.isTTY === true && host.stdout.isTTY === true;
  const connection = await client.exec(await session.project(client), {
    service,
    args: [...args],
    tty,
    ...(tty ? { size: sizeOf(host) } : {}),
    attachStdin: true,
    ...(options.index === undefined ? {} : { index: options.index }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.workdir === undefined ? {} : { workingDirectory: options.workdir }),
  });
  using _terminal = connectTerminal(session, connection, tty);
  return await relayOutput(session, connection); // awaited here: the terminal is let go only then
}

/** Standard input goes to the command; with a terminal, raw and with its size. */
function connectTerminal(session: Session, connection: ExecConnection, tty: boolean): Disposable {
  const { stdin, stdout } = session.host;
  const onData = (data: Buffer): void => connection.write(data);
  const onEnd = (): void => connection.endInput();
  const onResize = (): void => connection.resize(sizeOf(session.host));
  stdin.on('data', onData).on('end', onEnd);
  if (tty) {
    stdin.setRawMode?.(true);
    stdout.on('resize', onResize);
    onResize();
  }
  return {
    [Symbol.dispose]: () => {
      stdin.off('data', onData).off('end', onEnd).pause();
      if (tty) stdin.setRawMode?.(false);
      stdout.off('resize', onResize);
      connection.close();
    },
  };
}

function sizeOf({ stdout }: Session['host']): { readonly columns: number; readonly rows: number } {
  return { columns: stdout.columns || 80, rows: stdout.rows || 24 };
}

async function relayOutput({ host }: Session, connection: ExecConnection): Promise<number> {
  for await (const event of connection.events) {
    if (event.kind === 'exit') return event.code;
    (event.kind === 'stdout' ? host.stdout : host.stderr).write(event.data);
  }
  throw new Error('the daemon closed the session before the command ended');
}
