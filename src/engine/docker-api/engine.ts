import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../lib/database.ts';
import { acquireLock, type Lock } from '../../lib/lock.ts';
import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';
import { createBuilder } from '../build/index.ts';
import { openImageStore, type ImageStore } from '../image/index.ts';
import { openNetworks } from '../network/index.ts';
import { openRuntime } from '../runtime/index.ts';
import { openVolumes } from '../volume/index.ts';
import { createEventHub, ofContainer, ofImage, ofNetwork, ofVolume, ofVolumesIn } from './engine-events.ts';
import { readHost } from './host.ts';
import type { Rooms } from './rooms.ts';
import { apiRouter } from './routes.ts';
import { openRegistries, registryForBuilds, type RegistryAccess } from './registries.ts';
import { createApiServer } from './server.ts';

export interface EngineOptions {
  readonly scope: Scope;
  readonly log: Log;
  /** Bascule's own version, told by `GET /version`. */
  readonly version: string;
  /** How registries are spoken to. Without it: directly, and with no logins but those that clients bring. */
  readonly registries?: RegistryAccess;
}

/** One line of `bascule doctor` about the engine. */
export interface EngineCheck {
  /** What was looked at, e.g. `runc`, `overlayfs`. */
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found. */
  readonly detail: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
}

export interface Engine {
  /** The content store: a registry beside the engine shares it. */
  readonly images: ImageStore;
  /** Serves the Docker Engine API on a unix socket (mode 0660). */
  listen(socketPath: string): Promise<void>;
  /** Stops serving and closes the database; containers run on. */
  close(): Promise<void>;
  /**
   * Removes every container, volume, network and image, and what they have on this machine (bridges, rules, name
   * servers, mounts). The engine still answers afterwards; close it next.
   */
  destroy(): Promise<void>;
  /** What `bascule doctor` prints of the engine. */
  check(): Promise<readonly EngineCheck[]>;
}

/**
 * Opens all rooms of the engine over `<root>/engine` and adopts what runs.
 * @throws UserError `locked` where another process has this root open
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const directory = join(options.scope.root, 'engine');
  await mkdir(directory, { recursive: true, mode: 0o711 });
  await mkdir(options.scope.runDirectory, { recursive: true, mode: 0o711 });
  const lock = acquireLock(join(directory, 'lock'), `the engine's folder ${directory}`);
  try {
    const database = openDatabase(join(directory, 'engine.db'));
    return await openEngine({ ...options, directory, database, lock });
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

interface OpenOptions extends EngineOptions {
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly lock: Lock;
}

async function openEngine(options: OpenOptions): Promise<Engine> {
  const { database, lock, log, version } = options;
  const rooms = await openRooms(options);
  await adopt(rooms);
  const server = createApiServer({ router: apiRouter(rooms), log, version });
  return {
    images: rooms.images,
    listen: (socketPath) => server.listen(socketPath),
    check: () => checkRooms(rooms),
    destroy: () => destroy(rooms),
    close: async () => {
      await server.close();
      await rooms.registry.close();
      await rooms.runtime.close();
      await rooms.networks.close();
      await rooms.images.close();
      database.close();
      lock[Symbol.dispose]();
    },
  };
}

async function openRooms({ scope, directory, database, log, version, registries }: OpenOptions): Promise<Rooms> {
  const events = createEventHub(() => Date.now());
  const images = await openImageStore({ directory, database, log });
  const networks = await openNetworks({ scope, directory: join(directory, 'networks'), database, log });
  const volumes = openVolumes({ directory: join(directory, 'volumes'), database, log });
  const runtime = await openRuntime({ scope, directory, database, images, networks, volumes, log });
  const registry = await openRegistries({ access: registries, directory, images, log });
  const builder = createBuilder({
    ...{ scope, directory, database, images, runtime, networks, log },
    registry: registryForBuilds(registry),
    proxyEnvironment: registries?.settings.proxyEnvironment ?? {},
  });
  images.onEvent((event) => events.publish(ofImage(event)));
  networks.onEvent((event) => events.publish(ofNetwork(event)));
  volumes.onEvent((event) => events.publish(ofVolume(event)));
  runtime.onEvent((event) => {
    const container = runtime.find(event.containerId);
    const change = event.action === 'start' ? 'mount' : event.action === 'die' ? 'unmount' : undefined;
    if (container !== undefined && change !== undefined) ofVolumesIn(container, change).forEach(events.publish);
    events.publish(ofContainer(event));
  });
  return { images, networks, volumes, runtime, builder, registry, events, host: await readHost(directory, version) };
}

/** Containers first, since their restarts may need networks: those of the living are kept or made again. */
async function adopt({ runtime, networks }: Rooms): Promise<void> {
  const living = runtime.list().filter(({ state }) => state.pid > 0 && isAlive(state.pid));
  await networks.adopt(new Set(living.map(({ id }) => id)));
  await runtime.adopt();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function destroy({ runtime, networks, volumes, images }: Rooms): Promise<void> {
  for (const { id } of runtime.list()) await runtime.remove(id, { force: true, removeVolumes: true });
  await networks.prune();
  await volumes.prune({ all: true, usersOf: () => [] });
  await images.prune({ danglingOnly: false, usersOf: () => [] });
  await networks.destroy();
}

async function checkRooms({ networks, runtime }: Rooms): Promise<readonly EngineCheck[]> {
  const ofRuntime = (await runtime.check()).map(({ name, ok, detail, fix }) => ({
    name,
    state: ok ? ('ok' as const) : ('failed' as const),
    detail,
    ...(fix === '' ? {} : { fix }),
  }));
  return [...ofRuntime, ...(await networks.check())];
}
