import { installedOf } from './certificate-store.ts';
import type { HttpProxy } from './haproxy/proxy.ts';
import { numberIn, parseStat, type RuntimeServer, type StatRow } from './haproxy/replies.ts';
import { parseShare } from './haproxy/shares.ts';
import type { RecordedPort } from './ports.ts';
import type { Intent, TrafficRecord } from './state.ts';
import type { InstanceState, Lane, LaneId, PublishedPort, RouteShare, TrafficState } from './traffic.ts';

export interface Observed {
  readonly record: TrafficRecord;
  readonly proxy: HttpProxy;
  readonly laneCount: number;
}

/** Reads the live proxy; TCP routes and ports from the record, as the kernel's rules are made of it whole. */
export async function observe({ record, proxy, laneCount }: Observed): Promise<TrafficState> {
  const { ports, tcpRoutes, previews, options, certificates, routes: recorded } = record.read();
  const [pid, runtime] = await Promise.all([proxy.pid(), proxy.runtime()]);
  const routes = new Map(
    [...runtime.routes].map(([route, { value }]) => [route, withCohorts(parseShare(value), recorded.get(route))]),
  );
  const ids = usedIn(
    [...runtime.servers, ...previews.values()].map(({ lane }) => lane),
    routes.values(),
  );
  const rows = ids.length === 0 ? [] : parseStat(await proxy.api.ask(...statCommands(ids)));
  const lanes = ids.map((id) => laneOf(id, runtime.servers, rows));
  return {
    pid,
    lanes,
    laneCount,
    routes,
    tcpRoutes,
    publishedPorts: ports.map(withoutSlot),
    previews,
    routeOptions: options,
    certificates: installedOf(certificates),
  };
}

/** The proxy has cohorts as regular expressions, which nobody reads back. */
function withCohorts(share: RouteShare, recorded: RouteShare | undefined): RouteShare {
  return recorded?.cohorts === undefined ? share : { ...share, cohorts: recorded.cohorts };
}

function withoutSlot(recorded: RecordedPort): PublishedPort {
  const { slot: _, ...port } = recorded;
  return port;
}

function laneOf(id: LaneId, servers: readonly RuntimeServer[], rows: readonly StatRow[]): Lane {
  const sessions = (name: string): number =>
    numberIn(
      rows.find((row) => row['pxname'] === id && row['svname'] === name),
      'scur',
    );
  const instances = servers
    .filter((server) => server.lane === id)
    .map(({ name, address, port, ...server }) => ({
      name,
      address,
      port,
      sessions: sessions(name),
      state: stateOf(server),
    }));
  return { id, instances, sessions: sessions('BACKEND') };
}

function stateOf(server: Pick<RuntimeServer, 'isInMaintenance' | 'isUp'>): InstanceState {
  if (server.isInMaintenance) return 'draining';
  return server.isUp ? 'up' : 'down';
}

/** What runs on each instance of these lanes, from their rows of the statistics. */
export function sessionsByInstance(
  rows: readonly StatRow[],
  lanes: readonly LaneId[],
): ReadonlyMap<LaneId, ReadonlyMap<string, number>> {
  const ofLane = (lane: LaneId) => rows.filter((row) => row['pxname'] === lane);
  return new Map(
    lanes.map((lane) => [lane, new Map(ofLane(lane).map((row) => [row['svname'] ?? '', numberIn(row, 'scur')]))]),
  );
}

/** Frontends 1, backends 2, servers 4; all rows of one proxy by its name. */
export function statCommands(lanes: readonly LaneId[]): readonly string[] {
  return ['http', 'unrouted', ...lanes].map((proxy) => `show stat ${proxy} 7 -1`);
}

/** Lanes that have instances or that a route names. */
export function usedLanes(intent: Intent): readonly LaneId[] {
  return usedIn(
    [...intent.instances, ...intent.previews.values()].map(({ lane }) => lane),
    intent.routes.values(),
  );
}

function usedIn(lanes: readonly LaneId[], shares: Iterable<RouteShare>): readonly LaneId[] {
  const named = [...shares].flatMap(({ stable, candidate }) => (candidate === null ? [stable] : [stable, candidate]));
  return [...new Set([...lanes, ...named])].sort();
}
