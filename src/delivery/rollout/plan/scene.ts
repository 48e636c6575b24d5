import type { Dependency } from '../../compose/index.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { LaneId, LaneInstance, PublishedPort } from '../../traffic/index.ts';
import type { Release } from '../../release/index.ts';
import { rememberLevels } from './levels.ts';
import { type DeployInput, neededBy, type PlannedPort } from './plan.ts';
import { remembered } from './remembered.ts';
import { liveSets, type SetRecord } from './standing.ts';
import type { Fitness } from './step.ts';

/** What a plan is made from, with everything that is looked up by a name indexed once. */
export interface Scene extends DeployInput {
  readonly instances: ReadonlyMap<string, ObservedInstance>;
  readonly servers: ReadonlyMap<LaneId, ReadonlyMap<string, LaneInstance>>;
  /** By service. */
  readonly portsBy: ReadonlyMap<string, readonly PlannedPort[]>;
  /** Each live set once, those of the current release first; by service. */
  readonly liveBy: ReadonlyMap<string, readonly SetRecord[]>;
  /** Ports of the host that are published now, by service. */
  readonly publishedBy: ReadonlyMap<string, readonly PublishedPort[]>;
  /** Sets of the release that serves, by service. */
  readonly currentBy: ReadonlyMap<string, SetRecord>;
  /** What each service of the target waits for. */
  readonly needs: ReadonlyMap<string, readonly (readonly [string, Dependency])[]>;
  /** Services of the target that wait for this one. */
  readonly neededFor: ReadonlyMap<string, readonly string[]>;
  /** Services of the target of which another one waits for more than the start. */
  readonly gates: ReadonlySet<string>;
  /** Groups of services, each group needing only those before it. */
  levelsOf(services: ReadonlySet<string>): readonly (readonly string[])[];
  /** The lanes of a set, and the port behind each. */
  doorsOf(record: SetRecord): readonly LaneDoor[];
  /** When instances of a set are fit for the traffic of the target's ports. */
  fitnessOf(record: SetRecord): Fitness;
  /** Something is there of what this release made. */
  hasRemainsOf(release: number): boolean;
}

export interface LaneDoor {
  readonly lane: LaneId;
  /** Container port. */
  readonly port: number;
}

export function sceneOf(input: DeployInput): Scene {
  const { observed, ports, standing, target } = input;
  const needs = needsOf(target);
  const portsBy = Map.groupBy(ports, ({ service }) => service);
  const origins = new Set(observed.fleet.instances.map(({ release }) => release));
  return {
    ...input,
    instances: new Map(observed.fleet.instances.map((instance) => [instance.name, instance])),
    servers: new Map(
      observed.traffic.lanes.map(({ id, instances }) => [id, new Map(instances.map((each) => [each.name, each]))]),
    ),
    portsBy,
    publishedBy: Map.groupBy(standing.ports, ({ route }) => route.split('/', 2)[1] ?? ''),
    liveBy: Map.groupBy(liveSets(standing), ({ service }) => service),
    currentBy: new Map((standing.current?.sets ?? []).map((set) => [set.service, set])),
    needs,
    neededFor: turnedAround(needs),
    gates: gatesOf(needs),
    levelsOf: rememberLevels(needs),
    doorsOf: remembered(doorsOf),
    fitnessOf: remembered((record) => fitnessOf(input, portsBy, record)),
    hasRemainsOf: (release) => origins.has(release),
  };
}

function doorsOf({ lanes }: SetRecord): readonly LaneDoor[] {
  return Object.entries(lanes).map(([port, lane]) => ({ lane, port: Number(port) }));
}

function fitnessOf({ target }: DeployInput, portsBy: Scene['portsBy'], record: SetRecord): Fitness {
  const { service, mayExit, network } = record;
  const ports = (portsBy.get(service) ?? []).filter(({ protocol }) => protocol !== 'udp');
  return {
    timeoutMs: target.model.settings.healthTimeoutMs,
    mayExit,
    ports: [...new Set(ports.map((port) => port.target))],
    ...(network === undefined ? {} : { network }),
  };
}

/** What each service of a release waits for. */
export function needsOf(release: Release): Scene['needs'] {
  return new Map(Object.keys(release.services).map((name) => [name, neededBy(release, name)]));
}

function gatesOf(needs: Scene['needs']): ReadonlySet<string> {
  const gates = new Set<string>();
  for (const needed of needs.values()) {
    for (const [name, { condition }] of needed) if (condition !== 'service_started') gates.add(name);
  }
  return gates;
}

function turnedAround(needs: Scene['needs']): ReadonlyMap<string, readonly string[]> {
  const turned = new Map<string, string[]>();
  for (const [name, needed] of needs) {
    for (const [other] of needed) {
      const names = turned.get(other);
      if (names === undefined) turned.set(other, [name]);
      else names.push(name);
    }
  }
  return turned;
}
