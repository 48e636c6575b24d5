import { installedOf } from './certificate-store.ts';
import type { HttpProxy } from './haproxy/proxy.ts';
import { numberIn, parseStat, type RuntimeServer, type StatRow } from './haproxy/replies.ts';
import { parseShare } from './haproxy/shares.ts';
import type { RecordedPort } from './ports.ts';
import { instanceNames, isParked, isSlot, type ServerKey } from './slots.ts';
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
  const servers = runtime.servers.filter((server) => !isParked(server));
  const routes = new Map(
    [...runtime.routes].map(([route, { value }]) => [route, withCohorts(parseShare(value), recorded.get(route))]),
  );
  const ids = usedIn(
    [...servers, ...previews.values()].map(({ lane }) => lane),
    routes.values(),
  );
  const rows = ids.length === 0 ? [] : parseStat(await proxy.api.ask(...statCommands(ids)));
  const nameOf = instanceNames(record.read().instances);
  const lanes = ids.map((id) => laneOf({ id, servers, rows, nameOf }));
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

interface LaneReadings {
  readonly id: LaneId;
  readonly servers: readonly RuntimeServer[];
  readonly rows: readonly StatRow[];
  readonly nameOf: (at: ServerKey) => string;
}

function laneOf({ id, servers, rows, nameOf }: LaneReadings): Lane {
  const sessions = (server: string): number =>
    numberIn(
      rows.find((row) => row['pxname'] === id && row['svname'] === server),
      'scur',
    );
  const instances = servers
    .filter((server) => server.lane === id)
    .map(({ server, address, port, ...state }) => ({
      name: nameOf({ lane: id, server }),
      address,
      port,
      sessions: sessions(server),
      state: stateOf(state),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
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
  nameOf: (at: ServerKey) => string,
): ReadonlyMap<LaneId, ReadonlyMap<string, number>> {
  const ofLane = (lane: LaneId): readonly [string, number][] =>
    rows
      .filter((row) => row['pxname'] === lane)
      .map((row): [string, number] => [nameOf({ lane, server: row['svname'] ?? '' }), numberIn(row, 'scur')])
      .filter(([name]) => !isSlot(name));
  return new Map(lanes.map((lane) => [lane, new Map(ofLane(lane))]));
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
