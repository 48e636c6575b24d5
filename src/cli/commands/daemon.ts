import type { Command } from 'commander';
import type { AddCommand, RunAction } from '../command.ts';
import type { Session } from '../session.ts';
import { addDaemonConfig } from './daemon-config.ts';

export const addDaemon: AddCommand = (program, run) => {
  const daemon = program
    .command('daemon')
    .summary('run, start, stop, inspect or install the daemon')
    .description(
      'One daemon serves one root directory. It starts by itself on first use, or by systemd after `daemon install`.\n' +
        'Stopping it stops no container and drops no request.',
    );
  addLifecycle(daemon, run);
  addDaemonConfig(daemon, run);
  daemon
    .command('install')
    .summary('write the systemd unit, enable and start it')
    .action(
      run(async (session) => {
        session.print(`${await session.host.daemon.install(session.launch)}\n`);
        return 0;
      }),
    );
  daemon
    .command('uninstall')
    .summary('remove the systemd unit')
    .action(
      run(async (session) => {
        const removed = await session.host.daemon.uninstall(session.root);
        session.print(removed ? 'removed\n' : 'no unit was installed\n');
        return 0;
      }),
    );
};

function addLifecycle(daemon: Command, run: RunAction): void {
  daemon
    .command('run')
    .summary('serve in the foreground until SIGTERM')
    .action(
      run(async (session) => {
        await session.host.daemon.run(session.launch);
        return 0;
      }),
    );
  daemon
    .command('start')
    .summary('start it in the background')
    .action(run((session) => start(session)));
  daemon
    .command('stop')
    .summary('end it; containers and traffic go on')
    .action(
      run(async (session) => {
        session.print((await session.host.daemon.stop(session.root)) ? 'stopped\n' : 'it did not run\n');
        return 0;
      }),
    );
  daemon
    .command('restart')
    .summary('stop and start it; containers and traffic go on')
    .action(
      run(async (session) => {
        await session.host.daemon.restart(session.launch);
        session.print('started\n');
        return 0;
      }),
    );
  daemon.command('status').summary('say whether it runs, and where its sockets and log are').action(run(status));
}

async function start(session: Session): Promise<number> {
  session.print(`${await session.host.daemon.ensure(session.launch)}\n`);
  return 0;
}

async function status(session: Session): Promise<number> {
  const found = await session.host.daemon.status(session.root);
  if (session.json) session.printJson(found);
  else {
    session.print(`${found.running ? `running, pid ${found.pid ?? '?'}` : 'not running'}\n`);
    session.print(
      `root    ${found.root}\napi     ${found.apiSocket}\nengine  ${found.engineSocket}\nlog     ${found.logFile}\n`,
    );
  }
  return found.running ? 0 : 5;
}
