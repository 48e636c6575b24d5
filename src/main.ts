/** Composition root: the only reader of argv and the environment. It puts the parts together. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { runCli, type DaemonOptions, type Host, type RegistryLaunch } from './cli/index.ts';
import type { Certificates } from './delivery/certificates/index.ts';
import type { Delivery } from './delivery/rollout/index.ts';
import type { Traffic } from './delivery/traffic/index.ts';
import type { Engine } from './engine/docker-api/index.ts';
import type { RegistryBeside } from './engine/registry/index.ts';
import { writeFileAtomic } from './lib/files.ts';
import type { Log } from './lib/log.ts';
import { scopeOf, type Scope } from './lib/scope.ts';
import { VERSION } from './lib/version.ts';
import {
  controlConfiguration,
  controlDaemon,
  daemonPaths,
  keepEngine,
  keepMemoryTidy,
  preflight,
} from './server/daemon/index.ts';

/** Certificates for registries, a folder for each; Docker's. */
const CERTIFICATE_FOLDERS = ['/etc/docker/certs.d'];
/** Where a registry of its own listens when nobody says where. */
const DEFAULT_REGISTRY = '127.0.0.1:5000';
const QUIET = '--disable-warning=ExperimentalWarning';
/** MiB. The daemon's garbage is small and short-lived: a young generation of V8's own choice costs 30 MB and gains nothing. */
const YOUNG_GENERATION = '--max-semi-space-size=2';
const daemonArgv = isSea() ? [process.execPath] : [process.execPath, QUIET, YOUNG_GENERATION, import.meta.filename];

const host: Host = {
  cwd: process.cwd(),
  env: environment(),
  version: VERSION,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt,
  daemon: { ...controlDaemon(daemonArgv, environment()), run: runDaemon },
  configuration: controlConfiguration(),
  registry: {
    serve: runRegistry,
    setPassword: setRegistryPassword,
    removeUser: removeRegistryUser,
    users: registryUsers,
  },
  userName: userInfo().username,
  user: { uid: userInfo().uid, gid: userInfo().gid },
  preflight: (root) => preflight({ root, path: process.env['PATH'] ?? '' }),
};

process.stdout.on('error', endQuietly);
process.exitCode = 70; // if nothing is left to wait for before the command has ended, that is a bug
void runCli(process.argv.slice(2), host).then((code) => {
  process.exitCode = code;
  process.stdin.unref?.();
  // All is said: to take everything down in order would cost 3 ms more.
  if (process.stdout.writableLength + process.stderr.writableLength === 0) process.exit();
});

/** Serves in this process until SIGTERM or SIGINT. The wings are loaded only here, so that commands start fast. */
async function runDaemon(launch: DaemonOptions): Promise<void> {
  const { pino } = await import('pino');
  const { acquireLock } = await import('./lib/lock.ts');
  const log = pino({ level: launch.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a bug: nobody waited for this failure'));
  const scope = scopeOf(launch.root);
  await prepareFolders(scope);
  using _lock = acquireLock(join(scope.root, 'daemon.lock'), `the root ${scope.root}`);
  const ended = new Promise<void>((resolve) => onInterrupt(resolve));
  await using parts = new AsyncDisposableStack();
  await startParts({ launch, scope, log, parts });
  await writeFileAtomic(daemonPaths(scope.root).pidFile, `${process.pid}\n`);
  log.info({ pid: process.pid, root: scope.root, version: VERSION }, 'serving');
  using _tidy = keepMemoryTidy();
  await ended;
  log.info({}, 'ending: containers and traffic go on');
}

/** The parts in the order of their needs; `parts` ends them in the opposite one. */
async function startParts(o: {
  launch: DaemonOptions;
  scope: Scope;
  log: Log;
  parts: AsyncDisposableStack;
}): Promise<void> {
  const { launch, scope, log, parts } = o;
  const { openDatabase } = await import('./lib/database.ts');
  const { openDockerFleet } = await import('./delivery/fleet/index.ts');
  const { openTraffic } = await import('./delivery/traffic/index.ts');
  const { createDelivery } = await import('./delivery/rollout/index.ts');
  const { certificateChecks, certificateViews } = await import('./delivery/certificates/index.ts');
  const { checkEngine, connectEngine, createServer, engineGate } = await import('./server/index.ts');

  const paths = daemonPaths(scope.root);
  const { address, socketPath } = await engineOf(launch, paths.configFile);
  const engineSocket = socketPath ?? paths.engineSocket;
  const directory = join(scope.root, 'delivery');
  const database = openDatabase(join(directory, 'delivery.db'));
  parts.defer(() => database.close());
  const fleet = openDockerFleet({ socketPath: engineSocket, scope, log });
  const traffic = await openTraffic({ scope, directory: join(directory, 'traffic'), log });
  const certificates = await openCertificatesOf({ configFile: paths.configFile, directory, traffic, log });
  const keyFile = process.env['BASCULE_SECRETS_KEY_FILE'];
  const delivery = createDelivery({
    ...{ database, directory, fleet, traffic, certificates, log, now: () => new Date() },
    runDirectory: scope.runDirectory,
    ...(keyFile === undefined || keyFile === '' ? {} : { keyFile }),
  });
  await keepEngine({ engine: address, directory, delivery });
  const engine = socketPath === undefined ? await startEngine(o) : undefined;
  parts.defer(() => delivery.close());
  const registry = await serveRegistryBeside(o, engine);
  const server = await createServer({
    delivery,
    engine: connectEngine(engineSocket),
    requireEngine: engine === undefined ? engineGate(engineSocket) : async () => {},
    info: { version: VERSION, pid: process.pid, root: scope.root, engine: address, engineSocket },
    log,
    check: async () => [
      ...(engine === undefined ? [await checkEngine(engineSocket)] : await engine.check()),
      ...certificateChecks(traffic.certificates(), certificates.states(), new Date()),
      ...registry.check(),
    ],
    certificates: () =>
      certificateViews({
        installed: traffic.certificates(),
        issuers: traffic.certificateIssuers(),
        states: certificates.states(),
      }),
    purge: async (onLine) => {
      await removeProjects(delivery, onLine);
      await traffic.stop();
      await (engine ?? (await leftEngine(o)))?.destroy();
    },
  });
  parts.defer(() => server.close());
  await delivery.resume();
  await server.listen(paths.apiSocket);
}

/** Certificates of services, from files and by ACME as the configuration says. */
async function openCertificatesOf(o: {
  readonly configFile: string;
  readonly directory: string;
  readonly traffic: Traffic;
  readonly log: Log;
}): Promise<Certificates> {
  const { openCertificates } = await import('./delivery/certificates/index.ts');
  const { readConfiguration } = await import('./server/configuration/index.ts');
  const { email, directory, root_certificate: rootCertificate } = (await readConfiguration(o.configFile)).acme;
  return await openCertificates({
    directory: join(o.directory, 'certificates'),
    acme: { email, directory, rootCertificate },
    frontDoor: o.traffic,
    log: o.log,
    now: () => new Date(),
  });
}

async function removeProjects(delivery: Delivery, onLine: (line: string) => void): Promise<void> {
  const { signal } = new AbortController();
  await delivery.settled(); // what a killed daemon left open is ended first
  for (const project of delivery.projects()) {
    onLine(`removing ${project}`);
    await delivery.down({ project, volumes: true, author: 'purge' }, { onProgress: () => {}, signal });
  }
}

/** What the embedded engine holds of the time before another one was chosen. */
async function leftEngine(o: Parameters<typeof startEngine>[0]): Promise<Engine | undefined> {
  return existsSync(join(o.scope.root, 'engine')) ? await startEngine(o) : undefined;
}

async function startEngine(o: { scope: Scope; log: Log; parts: AsyncDisposableStack }): Promise<Engine> {
  const { createEngine } = await import('./engine/docker-api/index.ts');
  const registries = await registryAccess(o.scope.root);
  const engine = await createEngine({ scope: o.scope, log: o.log, version: VERSION, registries });
  o.parts.defer(() => engine.close());
  await engine.listen(daemonPaths(o.scope.root).engineSocket);
  return engine;
}

/** How other registries are spoken to, and as whom where a client brings no login of its own. */
async function registryAccess(root: string) {
  const { loginPlaceOf } = await import('./lib/docker-config/index.ts');
  const { mirrors, insecure } = await registryConfiguration(root);
  const env = environment();
  const proxies = Object.entries(env).filter(([name]) => /^(?:https?|no)_proxy$/i.test(name));
  return {
    settings: {
      ...{ mirrors, insecure, certificateFolders: CERTIFICATE_FOLDERS },
      proxyEnvironment: Object.fromEntries(proxies),
    },
    logins: loginPlaceOf(env),
  };
}

/** The registry as the configuration says, over the engine's store where it is ours. */
async function serveRegistryBeside(
  o: Parameters<typeof startEngine>[0],
  engine: Engine | undefined,
): Promise<RegistryBeside> {
  const { serveBeside } = await import('./engine/registry/index.ts');
  const configuration = await registryConfiguration(o.scope.root);
  return o.parts.use(await serveBeside({ ...o, configuration, images: engine?.images, version: VERSION }));
}

/** Serves a registry alone in this process until SIGTERM or SIGINT. */
async function runRegistry(launch: RegistryLaunch): Promise<void> {
  const { pino } = await import('pino');
  const { startRegistry } = await import('./engine/registry/index.ts');
  const log = pino({ level: launch.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const scope = scopeOf(launch.root);
  await mkdir(scope.root, { recursive: true, mode: 0o711 });
  await mkdir(scope.runDirectory, { recursive: true, mode: 0o755 });
  const ended = new Promise<void>((resolve) => onInterrupt(resolve));
  const configuration = await registryConfiguration(scope.root);
  const listen = launch.listen ?? configuration.listen ?? DEFAULT_REGISTRY;
  const registry = await startRegistry({ scope, configuration, listen, images: undefined, log, version: VERSION });
  await ended;
  await registry.close();
}

async function registryConfiguration(root: string) {
  const { readConfiguration } = await import('./server/configuration/index.ts');
  return (await readConfiguration(daemonPaths(root).configFile)).registry;
}

/** The htpasswd file of a root's registry, in a folder that is there. */
async function registryUsersFile(root: string): Promise<string> {
  const { usersFileOf } = await import('./engine/registry/index.ts');
  const path = usersFileOf(root, await registryConfiguration(root));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return path;
}

async function setRegistryPassword(root: string, user: string, password: string): Promise<void> {
  const { setPassword } = await import('./engine/registry/index.ts');
  await setPassword(await registryUsersFile(root), { user, password });
}

async function removeRegistryUser(root: string, user: string): Promise<boolean> {
  const { removeUser } = await import('./engine/registry/index.ts');
  return await removeUser(await registryUsersFile(root), user);
}

async function registryUsers(root: string): Promise<readonly string[]> {
  const { userNames } = await import('./engine/registry/index.ts');
  return await userNames(await registryUsersFile(root));
}

async function prepareFolders(scope: Scope): Promise<void> {
  await mkdir(join(scope.root, 'delivery'), { recursive: true, mode: 0o711 });
  await mkdir(scope.runDirectory, { recursive: true, mode: 0o755 });
}

/** The engine that the command line or the environment asks for, else that of the configuration file. */
async function engineOf(
  launch: DaemonOptions,
  configFile: string,
): Promise<{ readonly address: string; readonly socketPath: string | undefined }> {
  const { engineAddressOf, engineSocketOf, readConfiguration } = await import('./server/configuration/index.ts');
  const address = engineAddressOf(launch.engine ?? (await readConfiguration(configFile)).engine);
  return { address, socketPath: engineSocketOf(address) };
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function onInterrupt(listener: () => void): Disposable {
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return { [Symbol.dispose]: () => void process.off('SIGINT', listener).off('SIGTERM', listener) };
}

/** `bascule ps | head -1`: the reader has enough. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}
