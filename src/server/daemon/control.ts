import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import { readTextIfThere } from '../../lib/files.ts';
import { scopeOf } from '../../lib/scope.ts';
import { callJson, isAnswering, isListening } from '../client/transport.ts';
import { engineAddressOf, engineSocketOf } from '../configuration/engine-address.ts';
import { probeEngine } from '../engine-probe.ts';
import type { SystemInfo } from '../routes/system.ts';
import { daemonPaths, type DaemonPaths } from './paths.ts';
import { requireRoot } from './require-root.ts';
import { installService, uninstallService } from './service.ts';

export interface DaemonLaunch {
  readonly root: string;
  /** `embedded`, or the socket of another one, as the command or its environment asks; undefined: the configuration file says it. */
  readonly engine: string | undefined;
  readonly logLevel: string;
}

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;
/** Everything that a daemon makes in its root. */
const OWN_ENTRIES = [
  'delivery',
  'engine',
  'registry',
  'config.yaml',
  'daemon.log',
  'daemon.lock',
  'daemon.lock-journal',
];
/** What a write of the configuration leaves when it is killed. */
const OWN_LEFTOVER = /^config\.yaml\.[0-9a-f]{12}\.tmp$/;

/**
 * Starting, stopping and installing the daemon of one root.
 * @param selfArgv how this program is called: `[node, main.ts]`, or the single executable alone
 * @param env of the caller; the daemon gets what it may need of it
 */
export function controlDaemon(selfArgv: readonly string[], env: Environment) {
  const runArgv = (launch: DaemonLaunch): readonly string[] => [
    ...selfArgv,
    'daemon',
    'run',
    '--root',
    scopeOf(launch.root).root,
    '--log-level',
    launch.logLevel,
    ...(launch.engine === undefined ? [] : ['--engine', launch.engine]),
  ];
  return {
    ensure: async (asked: DaemonLaunch) => {
      const launch = inOneSpelling(asked);
      return ensure(launch, { argv: runArgv(launch), env });
    },
    restart: async (asked: DaemonLaunch) => {
      const launch = inOneSpelling(asked);
      await requireEngine(launch); // else one that serves well would be ended for nothing
      await stop(launch.root);
      await ensure(launch, { argv: runArgv(launch), env });
    },
    stop: (root: string) => stop(root),
    status: (root: string) => status(root),
    install: async (asked: DaemonLaunch) => {
      const launch = inOneSpelling(asked);
      return installService(launch.root, { argv: runArgv(launch), stop: () => stop(launch.root) });
    },
    uninstall: (root: string) => uninstallService(root),
    erase: (root: string) => erase(root),
  };
}

/** @throws UserError `invalid-engine` */
function inOneSpelling(launch: DaemonLaunch): DaemonLaunch {
  return launch.engine === undefined ? launch : { ...launch, engine: engineAddressOf(launch.engine) };
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Self {
  readonly argv: readonly string[];
  readonly env: Environment;
}

async function ensure(launch: DaemonLaunch, self: Self): Promise<'started' | 'running'> {
  const paths = daemonPaths(launch.root);
  if (await isListening(paths.apiSocket)) {
    await assertSameEngine(launch, paths);
    return 'running';
  }
  requireRoot();
  await requireEngine(launch);
  await mkdir(scopeOf(launch.root).root, { recursive: true, mode: 0o711 });
  const log = await open(paths.logFile, 'a', 0o640);
  const [program = '', ...rest] = self.argv;
  const child = spawn(program, [...rest, '--json'], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: '/',
    env: daemonEnvironment(self.env),
  });
  await log.close();
  await waitUntilAnswering(child, paths);
  child.unref();
  return 'started';
}

/** What the daemon lives on for days is not whatever the shell of its first command held: passwords, for instance. */
function daemonEnvironment(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => KEPT.test(name)));
}

const KEPT =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|BASCULE_.*|DOCKER_.*|XDG_.*|NODE_.*|SSL_CERT_.*|CREDENTIALS_DIRECTORY|(https?|no|all)_proxy)$/i;

/** Starts no daemon over an engine that was just asked for and does not answer: it would stay, and be in the way. */
async function requireEngine({ engine }: DaemonLaunch): Promise<void> {
  const socketPath = engine === undefined ? undefined : engineSocketOf(engine);
  if (socketPath !== undefined) await probeEngine(socketPath);
}

async function assertSameEngine(launch: DaemonLaunch, { apiSocket }: DaemonPaths): Promise<void> {
  if (launch.engine === undefined) return;
  const { engine } = await callJson<SystemInfo>(apiSocket, { method: 'GET', path: '/v1/version' });
  if (engine === launch.engine) return;
  throw new UserError({
    code: 'other-engine',
    kind: 'conflict',
    message: `the daemon of ${launch.root} drives the engine ${engine}, not ${launch.engine}`,
    fix: 'Stop it first (`bascule daemon stop`), or give the other engine a root of its own with --root.',
  });
}

async function waitUntilAnswering(child: ChildProcess, paths: DaemonPaths): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  let exitCode: number | null = null;
  let spawnError: Error | undefined;
  child.once('exit', (code) => (exitCode = code ?? 1));
  child.once('error', (error) => (spawnError = error));
  while (!(await isAnswering(paths.apiSocket))) {
    if (spawnError !== undefined) throw spawnError;
    if (exitCode !== null) throw await startFailed(paths, `it ended with exit code ${String(exitCode)}`);
    if (performance.now() > deadline)
      throw await startFailed(paths, `it does not answer after ${START_DEADLINE_MS / 1_000} s`);
    await delay(10);
  }
}

async function startFailed({ logFile }: DaemonPaths, what: string): Promise<UserError> {
  const last = (await readTextIfThere(logFile))?.trim().split('\n').at(-1) ?? '';
  const told = toldBy(last);
  if (told !== undefined) return told;
  return new UserError({
    code: 'daemon-start-failed',
    kind: 'unavailable',
    message: `the daemon did not start: ${what}. Its last words: ${last || 'none'}`,
    fix: `Read its log: ${logFile}`,
  });
}

/** A daemon that gives up writes its reason as the last line of its log, in the shape of an API error. */
function toldBy(line: string): UserError | undefined {
  try {
    const { error } = JSON.parse(line) as { error?: ConstructorParameters<typeof UserError>[0] };
    return error?.code === undefined ? undefined : new UserError(error);
  } catch {
    return undefined;
  }
}

async function stop(root: string): Promise<boolean> {
  const pid = await runningPid(root);
  if (pid === undefined) return false;
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + STOP_DEADLINE_MS;
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      throw new UserError({
        code: 'daemon-stop-failed',
        kind: 'failed',
        message: `the daemon (pid ${pid}) has not ended after ${STOP_DEADLINE_MS / 1_000} s`,
        fix: `End it with \`kill -9 ${pid}\`: containers and traffic go on, and the next start resumes what was under way.`,
      });
    }
    await delay(20);
  }
  return true;
}

async function status(root: string) {
  const { apiSocket, engineSocket, logFile } = daemonPaths(root);
  const info = await infoOf(apiSocket);
  return {
    running: info !== undefined,
    pid: info?.pid,
    root: scopeOf(root).root,
    apiSocket,
    engineSocket: info?.engineSocket ?? engineSocket,
    logFile,
    ...(info === undefined ? {} : { engine: info.engine }),
  };
}

/** What the daemon says of itself; undefined where none answers. */
async function infoOf(apiSocket: string): Promise<SystemInfo | undefined> {
  try {
    return await callJson<SystemInfo>(apiSocket, { method: 'GET', path: '/v1/version' });
  } catch {
    return undefined;
  }
}

/** The daemon's own word where it answers, else its pid file, checked against what the pid runs. */
async function runningPid(root: string): Promise<number | undefined> {
  const { apiSocket, pidFile } = daemonPaths(root);
  const told = (await infoOf(apiSocket))?.pid;
  if (told !== undefined) return told;
  const pid = Number((await readTextIfThere(pidFile))?.trim());
  return Number.isInteger(pid) && pid > 1 && (await runsDaemon(pid)) ? pid : undefined;
}

async function runsDaemon(pid: number): Promise<boolean> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return words.includes('daemon') && words.includes('run');
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}

async function erase(root: string): Promise<void> {
  await stop(root);
  const scope = scopeOf(root);
  await rm(scope.runDirectory, { recursive: true, force: true });
  const leftovers = (await namesIn(scope.root)).filter((name) => OWN_LEFTOVER.test(name));
  for (const name of [...OWN_ENTRIES, ...leftovers]) await rm(join(scope.root, name), { recursive: true, force: true });
  await removeIfEmpty(scope.root);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What is not ours stays: somebody may have named a folder that holds other things. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(systemCodeOf(error) ?? '')) throw error;
  }
}
