import { resolve } from 'node:path';
import { DEFAULT_ROOT, scopeOf } from '../lib/scope.ts';
import { createClient, type Client, type Override, type ProjectSourceBody } from '../server/client/index.ts';
import type { DaemonOptions, Host } from './host.ts';
import { styleFor, type Style } from './output/style.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly root?: string;
  readonly engine?: string;
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
  readonly json?: boolean;
  readonly logLevel?: string;
}

/** One run of one command: where it prints, and the daemon that it talks to. */
export interface Session {
  readonly host: Host;
  readonly options: GlobalOptions;
  readonly json: boolean;
  readonly style: Style;
  readonly root: string;
  /** How a daemon is to be started, as far as the options and the environment say it. */
  readonly launch: DaemonOptions;
  /** The engine that the options or the environment ask for. */
  readonly askedEngine: Override | undefined;
  /** Who acts, for releases and ledgers. */
  readonly author: string;
  print(text: string): void;
  /** One JSON document on standard output. */
  printJson(value: unknown): void;
  /** The daemon's client; starts the daemon where none runs. */
  connect(): Promise<Client>;
  source(): ProjectSourceBody;
  /** The project that the options or the present folder mean. */
  project(client: Client): Promise<string>;
}

export function openSession(host: Host, options: GlobalOptions): Session {
  const root = rootOf(host, options);
  const askedEngine = askedEngineOf(options, host.env);
  const logLevel = options.logLevel ?? host.env['BASCULE_LOG_LEVEL'] ?? 'info';
  const launch = { root, engine: askedEngine?.value, logLevel };
  const session: Session = {
    host,
    options,
    json: options.json === true,
    style: styleFor(wantsColour(host)),
    root,
    launch,
    askedEngine,
    author: host.env['SUDO_USER'] ?? host.userName,
    print: (text) => void host.stdout.write(text),
    printJson: (value) => void host.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`),
    connect: async () => {
      const started = await host.daemon.ensure(launch);
      if (started === 'started' && !session.json)
        host.stderr.write(session.style.dim(`started the daemon of ${root}\n`));
      return createClient(`${scopeOf(root).runDirectory}/api.sock`);
    },
    source: () => sourceOf(host, options),
    project: async (client) => options.projectName ?? client.resolveProject(sourceOf(host, options)),
  };
  return session;
}

/** An empty one is as good as none: it must not mean the folder one happens to be in. */
export function rootOf(host: Host, options: GlobalOptions): string {
  return resolve(host.cwd, options.root || host.env['BASCULE_ROOT'] || DEFAULT_ROOT);
}

/** The command line goes before the environment; an empty variable is as good as none. */
export function askedEngineOf(
  options: Pick<GlobalOptions, 'engine'>,
  environment: Readonly<Record<string, string>>,
): Override | undefined {
  if (options.engine !== undefined) return { value: options.engine, source: '--engine' };
  const value = environment['BASCULE_ENGINE'] || undefined;
  return value === undefined ? undefined : { value, source: 'BASCULE_ENGINE' };
}

export function sourceOf(host: Host, options: GlobalOptions): ProjectSourceBody {
  const files = (options.file ?? []).map((file) => resolve(host.cwd, file));
  const beside = files[0] === undefined ? host.cwd : resolve(files[0], '..');
  const projectName = options.projectName ?? host.env['COMPOSE_PROJECT_NAME'];
  return {
    directory: options.projectDirectory === undefined ? beside : resolve(host.cwd, options.projectDirectory),
    files,
    profiles: [...(options.profile ?? []), ...(host.env['COMPOSE_PROFILES']?.split(',').filter(Boolean) ?? [])],
    envFiles: (options.envFile ?? []).map((file) => resolve(host.cwd, file)),
    environment: host.env,
    ...(projectName === undefined ? {} : { projectName }),
  };
}

/** https://no-color.org and its opposite. */
function wantsColour(host: Host): boolean {
  if ((host.env['NO_COLOR'] ?? '') !== '') return false;
  if ((host.env['FORCE_COLOR'] ?? '') !== '') return true;
  return host.stdout.isTTY === true && host.env['TERM'] !== 'dumb';
}
