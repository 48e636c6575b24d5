import { rm } from 'node:fs/promises';
import type { Log } from '../../../lib/log.ts';
import type { Intent, RecordedInstance } from '../state.ts';
import type { ServerKey } from '../slots.ts';
import type { Moved, RouteId } from '../traffic.ts';
import { endProxy, isProxyAlive, isRunning, machineTraits, startProxy, versionOf } from './process.ts';
import type { TrafficKeys } from '../keys.ts';
import type { Doors } from '../ports.ts';
import { type Lookup, lookupOf } from './matches.ts';
import { createProxyCertificates } from './proxy-certificates.ts';
import { createProxyMaps } from './proxy-maps.ts';
import { createProxyServers } from './proxy-servers.ts';
import { fingerprintOf, LEAVE_MS, type ProxySettings, socketPathOf } from './render-haproxy.ts';
import { type Repairs, planRepairs, type Runtime } from './repair.ts';
import { parseInfo, parseServersState } from './replies.ts';
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
  /**
   * Starts the process, adopts the running one, or replaces one with another configuration; then repairs it.
   * @param settle says with which servers a process is to start
   */
  ensure(intent: Intent, settle: () => Intent): Promise<void>;
  pid(): Promise<number>;
  runtime(): Promise<Runtime>;
  addInstance(instance: RecordedInstance): Promise<void>;
  drainInstance(at: ServerKey): Promise<void>;
  undrainInstance(instance: RecordedInstance): Promise<void>;
  closeSessions(at: ServerKey): Promise<void>;
  /** False while sessions run on it. When it is true, no connection to the instance is left. */
  removeInstance(at: ServerKey): Promise<boolean>;
  /** The same for one that nobody waits for: what runs on it is cut. */
  dropInstance(at: ServerKey): Promise<void>;
  /** One route, or all of them at one instant. */
  applyRoutes(change: Change, only?: RouteId): Promise<Moved>;
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
  const servers = createProxyServers(api, version);

  const runtime = async (): Promise<Runtime> => {
    const [state, live] = await Promise.all([api.ask('show servers state'), maps.read()]);
    return { servers: parseServersState(state), ...live };
  };

  const repair = async (intent: Intent): Promise<void> => {
    if (await certificates.apply(intent.certificates)) options.log.warn({}, 'certificates of the proxy were put right');
    const live = await runtime();
    const repairs = planRepairs(settings, intent, live);
    if (isNothing(repairs)) return;
    options.log.warn({ ...sizes(repairs) }, 'the running proxy differs from the record: repairing it');
    for (const instance of repairs.slotsToFill) await servers.fill(instance);
    for (const commands of repairs.additions) await api.tell(commands, ['exists', 'absent', 'busy']);
    if (repairs.selectorsDiffer || repairs.routesDiffer) await maps.repairRoutes(intent);
    if (repairs.matchesDiffer || repairs.portsDiffer) await maps.repairPorts(lookupIn(intent));
    for (const at of repairs.slotsToEmpty) await servers.drop(at);
    for (const commands of repairs.removals) await api.tell(commands, ['absent', 'busy']);
  };

  const lookupIn = ({ ports, previews }: Intent): Lookup => lookupOf(ports, previews, settings);

  return {
    api,
    runtime,
    async ensure(intent, settle) {
      const running = await runningProxy(api, runDirectory);
      if (running?.description === `bascule ${fingerprintOf(settings)}`) return repair(intent);
      options.log.info({ replacing: running?.pid }, 'starting the proxy');
      await startProxy(program, settings, settle(), running?.pid);
      await api.ask('show info');
      if (running !== undefined) await gone(running.pid, LEAVE_MS + 500);
    },
    pid: async () => Number(parseInfo(await api.ask('show info')).get('Pid')),
    addInstance: servers.add,
    drainInstance: servers.drain,
    undrainInstance: servers.undrain,
    closeSessions: servers.closeSessions,
    removeInstance: servers.remove,
    dropInstance: servers.drop,
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

function isNothing(repairs: Repairs): boolean {
  return Object.values(repairs).every((part) => (typeof part === 'boolean' ? !part : part.length === 0));
}

function sizes(repairs: Repairs): object {
  const sizeOf = (part: Repairs[keyof Repairs]): number | boolean => (typeof part === 'boolean' ? part : part.length);
  return Object.fromEntries(Object.entries(repairs).map(([name, part]) => [name, sizeOf(part)]));
}
