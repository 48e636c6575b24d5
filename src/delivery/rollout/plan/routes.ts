import { step, stepEach } from './plan.ts';
import type { LaneDoor, Scene } from './scene.ts';
import type { PlacedSet, Portion } from './sets.ts';
import type { SetRecord } from './standing.ts';
import type { RouteChange, Step, TcpSide } from './step.ts';

/** Where the traffic of a route goes, and where it went. */
export interface HttpChange extends RouteChange {
  readonly service: string;
}

export interface TcpChange {
  readonly service: string;
  readonly route: string;
  readonly port: number;
  readonly to: TcpSide;
  readonly from: TcpSide | undefined;
  /** Nobody uses the route yet. */
  readonly isNew: boolean;
}

/** All traffic that a release moves. */
export interface RouteChanges {
  readonly http: readonly HttpChange[];
  readonly tcp: readonly TcpChange[];
}

export function routeChanges(scene: Scene, sets: ReadonlyMap<string, PlacedSet>): RouteChanges {
  return { http: httpChanges(scene, sets), tcp: tcpChanges(scene, sets) };
}

/** Those that fit. */
export function changesWhere(
  { http, tcp }: RouteChanges,
  isWanted: (change: HttpChange | TcpChange) => boolean,
): RouteChanges {
  return { http: http.filter(isWanted), tcp: tcp.filter(isWanted) };
}

/** It leads nowhere yet: it may be made before the switch. */
export function isAdded(change: HttpChange | TcpChange): boolean {
  return 'isNew' in change ? change.isNew : change.from === undefined;
}

/** All HTTP routes change in one step: the proxy does it at one instant. */
export function switchSteps(cause: string, { http, tcp }: RouteChanges): readonly Step[] {
  const changes = http.map(({ route, to, from }) => ({ route, to, from }));
  return [
    ...(changes.length === 0 ? [] : [step(cause, { kind: 'switch-routes', changes })]),
    ...tcp.map(({ route, port, to, from }) => step(cause, { kind: 'switch-tcp', route, port, to, from })),
  ];
}

function httpChanges({ ports, observed }: Scene, sets: ReadonlyMap<string, PlacedSet>): readonly HttpChange[] {
  const routes = new Map(ports.filter(({ protocol }) => protocol === 'http').map((port) => [port.route, port]));
  return [...routes].flatMap(([route, port]) => {
    const to = sets.get(port.service)?.record.lanes[port.target];
    const share = observed.traffic.routes.get(route);
    if (to === undefined || (share?.stable === to && share.candidate === null)) return [];
    return [{ service: port.service, route, to, from: share?.stable }];
  });
}

function tcpChanges(scene: Scene, sets: ReadonlyMap<string, PlacedSet>): readonly TcpChange[] {
  const { ports, observed, currentBy } = scene;
  const routes = new Map(ports.filter(({ protocol }) => protocol !== 'http').map((port) => [port.route, port]));
  return [...routes].flatMap(([route, { service, target: port }]) => {
    const set = sets.get(service);
    if (set === undefined) return [];
    const known = observed.traffic.tcpRoutes.get(route);
    if (known !== undefined && !set.fresh && hasTargets(scene, set.record, known)) return [];
    const before = known === undefined ? undefined : currentBy.get(service);
    const from = before === undefined ? undefined : sideOf(before);
    return [{ service, route, port, to: sideOf(set.record), from, isNew: known === undefined }];
  });
}

export function sideOf(o: { readonly instances: readonly string[]; readonly network?: string | undefined }): TcpSide {
  const { instances, network } = o;
  return { instances, ...(network === undefined ? {} : { network }) };
}

function hasTargets(scene: Scene, set: SetRecord, known: readonly { readonly address: string }[]): boolean {
  const addresses = set.instances.map((name) => scene.instances.get(name)?.addresses[set.network ?? '']);
  return (
    addresses.length === known.length &&
    addresses.every((address) => known.some((target) => target.address === address))
  );
}

/** Puts new instances of a set into its lanes. */
export function addToLanes({ set: { record }, newcomers }: Portion, { target, doorsOf }: Scene): readonly Step[] {
  const { drainMs } = target.model.settings;
  return enterLanes(
    { ...networkOf(record), doors: doorsOf(record), drainMs },
    newcomers.map(({ instance }) => instance),
  );
}

/** Instances of a set that is carried over stand in its lanes already, as a rule; a new port has a new lane. */
export function restoreLanes({ record, starting, fresh }: PlacedSet, scene: Scene): readonly Step[] {
  if (fresh) return [];
  const isNew = new Set(starting.map(({ instance }) => instance));
  const { drainMs } = scene.target.model.settings;
  return scene.doorsOf(record).flatMap((door) => {
    const servers = scene.servers.get(door.lane);
    const missing = record.instances.filter((name) => {
      const address = record.network === undefined ? '127.0.0.1' : scene.instances.get(name)?.addresses[record.network];
      return !isNew.has(name) && servers?.get(name)?.address !== address;
    });
    return enterLanes({ ...networkOf(record), doors: [door], drainMs }, missing);
  });
}

interface Entrance extends Pick<SetRecord, 'network'> {
  readonly doors: readonly LaneDoor[];
  readonly drainMs: number;
}

function networkOf({ network }: SetRecord): Pick<SetRecord, 'network'> {
  return network === undefined ? {} : { network };
}

function enterLanes({ doors, drainMs, ...at }: Entrance, instances: readonly string[]): readonly Step[] {
  return doors.flatMap(({ lane, port }) =>
    stepEach('ready for traffic', instances, [{ kind: 'add-to-lane', lane, port, drainMs, ...at }]),
  );
}
