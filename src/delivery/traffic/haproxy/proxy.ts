import { rm } from 'node:fs/promises';
import type { Log } from '../../../lib/log.ts';
import type { RecordedPort } from '../ports.ts';
import type { Intent, RecordedInstance } from '../state.ts';
import type { LaneId, RouteId, RouteShare } from '../traffic.ts';
import {
  addServer,
  closeServerSessions,
  type CommandLine,
  deleteServer,
  drainServer,
  moveServer,
  shareText,
  undrainServer,
} from './commands.ts';
import { endProxy, isProxyAlive, isRunning, machineTraits, startProxy, versionOf } from './process.ts';
import {
  fingerprintOf,
  LEAVE_MS,
  type ProxySettings,
  portsMapOf,
  routesMapOf,
  socketPathOf,
} from './render-haproxy.ts';
import { type Repairs, planRepairs, portsEntries, routesEntries, type Runtime } from './repair.ts';
import { numberIn, parseInfo, parseMap, parseNewVersion, parseServersState, parseStat } from './replies.ts';
import { createRuntimeApi, type RuntimeApi } from './runtime-api.ts';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProxyOptions {
  readonly program: string;
  readonly runDirectory: string;
  readonly laneCount: number;
  readonly httpPort: number;
  readonly log: Log;
}

/** One HAProxy process. It knows no record: callers hand in what should be. */
export interface HttpProxy {
  readonly api: RuntimeApi;
  /** Starts the process, adopts the running one, or replaces one with another configuration; then repairs it. */
  ensure(intent: Intent): Promise<void>;
  pid(): Promise<number>;
  runtime(): Promise<Runtime>;
  addInstance(instance: RecordedInstance): Promise<void>;
  drainInstance(lane: LaneId, name: string): Promise<void>;
  undrainInstance(lane: LaneId, name: string): Promise<void>;
  closeSessions(lane: LaneId, name: string): Promise<void>;
  /** False while sessions run on it. */
  removeInstance(lane: LaneId, name: string): Promise<boolean>;
  setRoute(route: RouteId, share: RouteShare): Promise<void>;
  /** All routes of the map at one instant. */
  replaceRoutes(intent: Pick<Intent, 'routes'>): Promise<void>;
  removeRoute(route: RouteId): Promise<void>;
  replacePorts(ports: readonly RecordedPort[]): Promise<void>;
  stop(): Promise<void>;
}

export async function createHttpProxy(options: ProxyOptions): Promise<HttpProxy> {
  const { program, runDirectory } = options;
  const version = await versionOf(program);
  const settings: ProxySettings = {
    version,
    runDirectory,
    httpPort: options.httpPort,
    laneCount: options.laneCount,
    ...(await machineTraits()),
  };
  const api = createRuntimeApi(socketPathOf(runDirectory));
  const routes = routesMapOf(runDirectory);
  const ports = portsMapOf(runDirectory);

  const runtime = async (): Promise<Runtime> => {
    const [servers, liveRoutes, livePorts] = await Promise.all([
      api.ask('show servers state'),
      api.ask(`show map ${routes}`),
      api.ask(`show map ${ports}`),
    ]);
    return { servers: parseServersState(servers), routes: parseMap(liveRoutes), ports: parseMap(livePorts) };
  };

  const repair = async (intent: Intent): Promise<void> => {
    const repairs = planRepairs(settings, intent, await runtime());
    if (isNothing(repairs)) return;
    options.log.warn({ ...sizes(repairs) }, 'the running proxy differs from the record: repairing it');
    for (const commands of repairs.additions) await api.tell(commands, ['exists', 'absent', 'busy']);
    if (repairs.routesDiffer) await replaceMap(api, routes, routesEntries(intent));
    if (repairs.portsDiffer) await replaceMap(api, ports, portsEntries(intent.ports, settings.httpPort));
    for (const commands of repairs.removals) await api.tell(commands, ['absent', 'busy']);
  };

  return {
    api,
    runtime,
    async ensure(intent) {
      const running = await runningProxy(api, runDirectory);
      if (running?.description === `bascule ${fingerprintOf(settings)}`) return repair(intent);
      options.log.info({ replacing: running?.pid }, 'starting the proxy');
      await startProxy(program, settings, intent, running?.pid);
      await api.ask('show info');
      if (running !== undefined) await gone(running.pid, LEAVE_MS + 500);
    },
    pid: async () => Number(parseInfo(await api.ask('show info')).get('Pid')),
    async addInstance(instance) {
      const reply = await api.tell(addServer(version, instance.lane, instance), ['exists']);
      if (reply.verdict !== 'exists') return;
      await api.tell([...moveServer(instance.lane, instance), ...undrainServer(instance.lane, instance.name)]);
    },
    async drainInstance(lane, name) {
      await api.tell(drainServer(lane, name), ['absent']);
    },
    async undrainInstance(lane, name) {
      await api.tell(undrainServer(lane, name), ['absent']);
    },
    async closeSessions(lane, name) {
      await api.tell(closeServerSessions(lane, name), ['absent']);
    },
    removeInstance: (lane, name) => removeWhenIdle(api, deleteServer(version, lane, name), { lane, name }),
    async setRoute(route, share) {
      const reply = await api.tell([`set map ${routes} ${route} ${shareText(share)}`], ['absent']);
      if (reply.verdict === 'absent') await api.tell([`add map ${routes} ${route} ${shareText(share)}`]);
    },
    replaceRoutes: (intent) => replaceMap(api, routes, routesEntries(intent)),
    async removeRoute(route) {
      await api.tell([`del map ${routes} ${route}`], ['absent']);
    },
    replacePorts: (published) => replaceMap(api, ports, portsEntries(published, settings.httpPort)),
    async stop() {
      await endProxy(runDirectory, ['SIGTERM', 'SIGKILL']);
      await rm(runDirectory, { recursive: true, force: true });
    },
  };
}

interface RunningProxy {
  readonly pid: number;
  readonly description: string;
}

/** The process behind the socket. One that runs and does not answer is ended: its successor could not be reached. */
async function runningProxy(api: RuntimeApi, runDirectory: string): Promise<RunningProxy | undefined> {
  try {
    const info = parseInfo(await api.ask('show info'));
    return { pid: Number(info.get('Pid')), description: info.get('description') ?? '' };
  } catch {
    if (await isProxyAlive(runDirectory)) await endProxy(runDirectory, ['SIGTERM', 'SIGKILL']);
    return undefined;
  }
}

/** Waits for a replaced process: until its last kept-alive connection has moved over, a switch would not reach it. */
async function gone(pid: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(pid) && performance.now() < deadline) await delay(50);
}

/** A line must fit into one of the proxy's buffers (16 KiB). */
const COMMANDS_IN_A_LINE = 30;

/** Readers see all of the old entries or all of the new ones (management guide, "prepare map" and "commit map"). */
async function replaceMap(api: RuntimeApi, map: string, entries: ReadonlyMap<string, string>): Promise<void> {
  const version = parseNewVersion(await api.ask(`prepare map ${map}`));
  if (version === undefined) throw new Error(`no version of ${map} was prepared`);
  const additions = [...entries].map(([key, value]) => `add map @${version} ${map} ${key} ${value}`);
  for (let start = 0; start < additions.length; start += COMMANDS_IN_A_LINE) {
    await api.tell(additions.slice(start, start + COMMANDS_IN_A_LINE));
  }
  await api.tell([`commit map @${version} ${map}`]);
}

const IDLE_CONNECTIONS_MS = 10_000;

/**
 * A drained server can be deleted once its idle connections are closed too, which HAProxy does by halves each second
 * (`pool-purge-delay`). Running sessions are not waited for.
 */
async function removeWhenIdle(
  api: RuntimeApi,
  remove: CommandLine,
  { lane, name }: { readonly lane: LaneId; readonly name: string },
): Promise<boolean> {
  const deadline = performance.now() + IDLE_CONNECTIONS_MS;
  for (;;) {
    const reply = await api.tell([...drainServer(lane, name), ...remove], ['absent', 'busy']);
    if (reply.verdict !== 'busy') return true;
    if (performance.now() > deadline || (await sessionsOf(api, lane, name)) > 0) return false;
    await delay(50);
  }
}

async function sessionsOf(api: RuntimeApi, lane: LaneId, name: string): Promise<number> {
  const rows = parseStat(await api.ask(`show stat ${lane} 4 -1`));
  return numberIn(
    rows.find((row) => row['svname'] === name),
    'scur',
  );
}

function isNothing(repairs: Repairs): boolean {
  const { additions, removals, routesDiffer, portsDiffer } = repairs;
  return additions.length === 0 && removals.length === 0 && !routesDiffer && !portsDiffer;
}

function sizes(repairs: Repairs): object {
  return { ...repairs, additions: repairs.additions.length, removals: repairs.removals.length };
}
