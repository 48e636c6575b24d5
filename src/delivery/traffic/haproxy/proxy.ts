import { rm } from 'node:fs/promises';
import type { Log } from '../../../lib/log.ts';
import type { Intent, RecordedInstance } from '../state.ts';
import type { LaneId, RouteId } from '../traffic.ts';
import {
  addServer,
  closeServerSessions,
  type CommandLine,
  deleteServer,
  drainServer,
  moveServer,
  undrainServer,
} from './commands.ts';
import { endProxy, isProxyAlive, isRunning, machineTraits, startProxy, versionOf } from './process.ts';
import type { TrafficKeys } from '../keys.ts';
import type { Doors } from '../ports.ts';
import { type Lookup, lookupOf } from './matches.ts';
import { createProxyCertificates } from './proxy-certificates.ts';
import { createProxyMaps } from './proxy-maps.ts';
import { fingerprintOf, LEAVE_MS, type ProxySettings, socketPathOf } from './render-haproxy.ts';
import { type Repairs, planRepairs, type Runtime } from './repair.ts';
import { numberIn, parseInfo, parseServersState, parseStat } from './replies.ts';
import { createRuntimeApi, type RuntimeApi } from './runtime-api.ts';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProxyOptions {
  readonly program: string;
  readonly runDirectory: string;
  readonly laneCount: number;
  readonly doors: Doors;
  readonly keys: TrafficKeys;
  readonly connectionsPerClient: number;
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
  /** One route, or all of them at one instant. */
  applyRoutes(change: Change, only?: RouteId): Promise<void>;
  removeRoute(route: RouteId): Promise<void>;
  applyPorts(change: Change): Promise<void>;
  applyCertificates(wanted: Intent['certificates']): Promise<void>;
  setChallenge(token: string, answer: string | null): Promise<void>;
  stop(): Promise<void>;
}

/** What was, and what shall be. */
export interface Change {
  readonly before: Intent;
  readonly after: Intent;
}

export async function createHttpProxy(options: ProxyOptions): Promise<HttpProxy> {
  const { program, runDirectory } = options;
  const version = await versionOf(program);
  const settings: ProxySettings = {
    version,
    runDirectory,
    ...options.doors,
    keys: options.keys,
    laneCount: options.laneCount,
    connectionsPerClient: options.connectionsPerClient,
    ...(await machineTraits()),
  };
  const api = createRuntimeApi(socketPathOf(runDirectory));
  const maps = createProxyMaps(api, runDirectory);
  const certificates = createProxyCertificates(api, runDirectory);

  const runtime = async (): Promise<Runtime> => {
    const [servers, live] = await Promise.all([api.ask('show servers state'), maps.read()]);
    return { servers: parseServersState(servers), ...live };
  };

  const repair = async (intent: Intent): Promise<void> => {
    if (await certificates.apply(intent.certificates)) options.log.warn({}, 'certificates of the proxy were put right');
    const live = await runtime();
    const repairs = planRepairs(settings, intent, live);
    if (isNothing(repairs)) return;
    options.log.warn({ ...sizes(repairs) }, 'the running proxy differs from the record: repairing it');
    for (const commands of repairs.additions) await api.tell(commands, ['exists', 'absent', 'busy']);
    if (repairs.selectorsDiffer || repairs.routesDiffer) await maps.repairRoutes(intent);
    if (repairs.matchesDiffer || repairs.portsDiffer) await maps.repairPorts(lookupIn(intent));
    for (const commands of repairs.removals) await api.tell(commands, ['absent', 'busy']);
  };

  const lookupIn = ({ ports, previews }: Intent): Lookup => lookupOf(ports, previews, settings);

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
    applyRoutes: ({ before, after }, only) => maps.applyRoutes(before, after, only),
    removeRoute: (route) => maps.removeRoute(route),
    async applyCertificates(wanted) {
      await certificates.apply(wanted);
    },
    setChallenge: (token, answer) => maps.setChallenge(token, answer),
    applyPorts: ({ before, after }) => maps.applyPorts(lookupIn(before), lookupIn(after)),
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

function isNothing({ additions, removals, ...differences }: Repairs): boolean {
  return additions.length === 0 && removals.length === 0 && !Object.values(differences).includes(true);
}

function sizes(repairs: Repairs): object {
  return { ...repairs, additions: repairs.additions.length, removals: repairs.removals.length };
}
