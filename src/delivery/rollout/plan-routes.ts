import { type DeployInput, instanceOf, routeOf, step } from './plan.ts';
import type { PlacedSet } from './plan-sets.ts';
import type { SetRecord } from './standing.ts';
import type { RouteChange, Step, TcpSide } from './step.ts';

/** Which steps move traffic, and to what. */
export interface RouteSteps {
  /** Routes that nobody uses yet: they may be made before the switch. */
  readonly added: readonly Step[];
  /** The switch of all services that are not switched earlier. */
  readonly switched: readonly Step[];
  /** The switch of one service alone. */
  switchOf(service: string): readonly Step[];
}

/** @param early services whose traffic moves as soon as they are healthy */
export function routeSteps(
  input: DeployInput,
  sets: ReadonlyMap<string, PlacedSet>,
  early: ReadonlySet<string>,
): RouteSteps {
  const changes = httpChanges(input, sets);
  const tcp = tcpSteps(input, sets);
  const isAdded = (change: RouteChange): boolean => change.from === undefined;
  const ofService = (service: string) => ({
    changes: changes.filter((change) => change.service === service),
    tcp: tcp.filter((each) => each.service === service),
  });
  const later = changes.filter((change) => !early.has(change.service));
  const laterTcp = tcp.filter((each) => !early.has(each.service));
  return {
    added: [
      ...httpStep('new routes', later.filter(isAdded)),
      ...laterTcp.filter(({ isNew }) => isNew).map((each) => each.step),
    ],
    switched: [
      ...httpStep(
        input.kind === 'rollback' ? 'its sets are healthy' : 'the new sets are healthy',
        later.filter((change) => !isAdded(change)),
      ),
      ...laterTcp.filter(({ isNew }) => !isNew).map((each) => each.step),
    ],
    switchOf: (service) => {
      const own = ofService(service);
      return [...httpStep('its predecessor is stopped', own.changes), ...own.tcp.map((each) => each.step)];
    },
  };
}

interface HttpChange extends RouteChange {
  readonly service: string;
}

/** All HTTP routes change in one step: the proxy does it at one instant. */
function httpStep(cause: string, changes: readonly HttpChange[]): readonly Step[] {
  if (changes.length === 0) return [];
  const plain = changes.map(({ route, to, from }) => ({ route, to, from }));
  return [step(cause, { kind: 'switch-routes', changes: plain })];
}

function httpChanges(
  { target, ports, observed }: DeployInput,
  sets: ReadonlyMap<string, PlacedSet>,
): readonly HttpChange[] {
  const routes = new Map(
    ports
      .filter((port) => port.protocol === 'http')
      .map((port) => [routeOf(target.project, port.service, port.target), port]),
  );
  return [...routes].flatMap(([route, port]) => {
    const to = sets.get(port.service)?.record.lanes[port.target];
    const share = observed.traffic.routes.get(route);
    if (to === undefined || (share?.stable === to && share.candidate === null)) return [];
    return [{ service: port.service, route, to, from: share?.stable }];
  });
}

interface TcpChange {
  readonly service: string;
  readonly isNew: boolean;
  readonly step: Step;
}

function tcpSteps(input: DeployInput, sets: ReadonlyMap<string, PlacedSet>): readonly TcpChange[] {
  const { target, ports, observed, standing } = input;
  const routes = new Map(
    ports
      .filter((port) => port.protocol !== 'http')
      .map((port) => [routeOf(target.project, port.service, port.target), port]),
  );
  return [...routes].flatMap(([route, port]) => {
    const set = sets.get(port.service);
    if (set === undefined) return [];
    const known = observed.traffic.tcpRoutes.get(route);
    if (known !== undefined && !set.fresh && hasTargets(input, set.record, known)) return [];
    const before = known === undefined ? undefined : standing.current?.sets.find((old) => old.service === port.service);
    const from = before === undefined ? undefined : sideOf(before);
    const body = { kind: 'switch-tcp', route, port: port.target, to: sideOf(set.record), from } as const;
    return [{ service: port.service, isNew: known === undefined, step: step('the new set is healthy', body) }];
  });
}

function sideOf({ instances, network }: SetRecord): TcpSide {
  return { instances, ...(network === undefined ? {} : { network }) };
}

function hasTargets(
  { observed }: DeployInput,
  set: SetRecord,
  known: readonly { readonly address: string }[],
): boolean {
  const addresses = set.instances.map((name) => instanceOf(observed, name)?.addresses[set.network ?? '']);
  return (
    addresses.length === known.length &&
    addresses.every((address) => known.some((target) => target.address === address))
  );
}

/** Puts a set's instances into its lanes, as far as they are not there with the right address. */
export function addToLanes({ record, fresh }: PlacedSet, { observed }: DeployInput): readonly Step[] {
  const network = record.network === undefined ? {} : { network: record.network };
  return Object.entries(record.lanes).flatMap(([port, lane]) => {
    const servers = observed.traffic.lanes.find(({ id }) => id === lane)?.instances ?? [];
    const isThere = (name: string): boolean =>
      !fresh &&
      servers.some(
        (server) =>
          server.name === name && server.address === instanceOf(observed, name)?.addresses[record.network ?? ''],
      );
    return record.instances
      .filter((instance) => !isThere(instance))
      .map((instance) =>
        step('ready for traffic', { kind: 'add-to-lane', lane, instance, port: Number(port), ...network }),
      );
  });
}
