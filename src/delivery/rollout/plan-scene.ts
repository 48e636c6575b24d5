import type { Dependency } from '../compose/index.ts';
import type { ObservedInstance } from '../fleet/index.ts';
import type { LaneId, LaneInstance } from '../traffic/index.ts';
import { type DeployInput, neededBy, type PlannedPort } from './plan.ts';
import { liveSets, type SetRecord } from './standing.ts';

/** What a plan is made from, with everything that is looked up by a name indexed once. */
export interface Scene extends DeployInput {
  readonly instances: ReadonlyMap<string, ObservedInstance>;
  readonly servers: ReadonlyMap<LaneId, ReadonlyMap<string, LaneInstance>>;
  /** By service. */
  readonly portsBy: ReadonlyMap<string, readonly PlannedPort[]>;
  /** Each live set once, those of the current release first; by service. */
  readonly liveBy: ReadonlyMap<string, readonly SetRecord[]>;
  /** Sets of the release that serves, by service. */
  readonly currentBy: ReadonlyMap<string, SetRecord>;
  /** What each service of the target waits for. */
  readonly needs: ReadonlyMap<string, readonly (readonly [string, Dependency])[]>;
  /** Services of the target that wait for this one. */
  readonly neededFor: ReadonlyMap<string, readonly string[]>;
}

export function sceneOf(input: DeployInput): Scene {
  const { observed, ports, standing, target } = input;
  const needs = new Map(Object.keys(target.services).map((name) => [name, neededBy(target, name)] as const));
  return {
    ...input,
    instances: new Map(observed.fleet.instances.map((instance) => [instance.name, instance])),
    servers: new Map(
      observed.traffic.lanes.map(({ id, instances }) => [id, new Map(instances.map((each) => [each.name, each]))]),
    ),
    portsBy: Map.groupBy(ports, ({ service }) => service),
    liveBy: Map.groupBy(liveSets(standing), ({ service }) => service),
    currentBy: new Map((standing.current?.sets ?? []).map((set) => [set.service, set])),
    needs,
    neededFor: turnedAround(needs),
  };
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
