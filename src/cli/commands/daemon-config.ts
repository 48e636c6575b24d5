import type { Command } from 'commander';
import type { Override, Setting } from '../../server/client/index.ts';
import type { RunAction } from '../command.ts';
import { renderTable } from '../output/table.ts';
import type { Session } from '../session.ts';

/** `daemon config`: the file that a daemon reads when it starts. None of it needs a daemon. */
export function addDaemonConfig(daemon: Command, run: RunAction): void {
  const config = daemon
    .command('config')
    .summary("show and change the daemon's configuration file")
    .description(
      'Shows every key of ROOT/config.yaml with its value and where that comes from: the command line, the environment, ' +
        'the file or the default. The daemon reads the file when it starts: `bascule daemon restart` after a change.',
    );
  config
    .command('list', { isDefault: true })
    .summary('show every key, its value and where that comes from')
    .action(run((session) => list(session)));
  config
    .command('get')
    .summary('print the value of a key')
    .argument('<key>', 'for example engine')
    .action(
      run(async (session, key: string) => {
        const setting = await session.host.configuration.get(session.root, key, overridesOf(session));
        if (session.json) session.printJson(setting);
        else session.print(`${textOf(setting.value)}\n`);
        return 0;
      }),
    );
  addChanges(config, run);
}

function addChanges(config: Command, run: RunAction): void {
  config
    .command('set')
    .summary('write a key to the file')
    .argument('<key>', 'for example engine')
    .argument('<value>', 'for example unix:///var/run/docker.sock')
    .action(
      run(async (session, key: string, value: string) => {
        await session.host.configuration.set(session.root, { key, value });
        return changed(session, key);
      }),
    );
  config
    .command('unset')
    .summary('take a key out of the file: its default counts again')
    .argument('<key>', 'for example engine')
    .action(
      run(async (session, key: string) => {
        const wasThere = await session.host.configuration.unset(session.root, key);
        if (wasThere) return changed(session, key);
        if (session.json) session.printJson(await session.host.configuration.get(session.root, key, {}));
        else session.print(`${key} was not set\n`);
        return 0;
      }),
    );
}

/** Says what counts now, and what must be done so that it counts. */
async function changed(session: Session, key: string): Promise<number> {
  const { host, root, json, style } = session;
  const setting = await host.configuration.get(root, key, {});
  if (json) session.printJson(setting);
  else session.print(`${key} ${textOf(setting.value)}\n`);
  const hint = (await host.daemon.status(root)).running
    ? 'the daemon runs and has not read it yet: `bascule daemon restart` (containers and traffic go on)\n'
    : '';
  if (!json) host.stderr.write(style.dim(hint));
  return 0;
}

async function list(session: Session): Promise<number> {
  const settings = await session.host.configuration.list(session.root, overridesOf(session));
  if (session.json) session.printJson(settings);
  else session.print(renderTable(['KEY', 'VALUE', 'FROM'], settings.map(rowOf)));
  return 0;
}

function rowOf({ key, value, source }: Setting): readonly string[] {
  return [key, textOf(value), source];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function overridesOf(session: Session): Readonly<Record<string, Override | undefined>> {
  return { engine: session.askedEngine };
}
