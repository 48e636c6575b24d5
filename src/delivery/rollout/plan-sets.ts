import type { Service } from '../compose/index.ts';
import { instanceName, primaryNetwork } from '../fleet/index.ts';
import type { Release, ReleasedService } from '../release/index.ts';
import type { LaneId } from '../traffic/index.ts';
import { type DeployInput, instanceOf, isAlive, lanesExhausted, neededBy } from './plan.ts';
import { liveSets, type SetRecord } from './standing.ts';

/** One service of the target: carried over as it is, or started anew. */
export interface PlacedSet {
  readonly record: SetRecord;
  readonly fresh: boolean;
  /** Why it is fresh, or why it is not. */
  readonly cause: string;
}

/**
 * Decides for each service of the target which set serves it. A set whose identity is unchanged and that lives is
 * carried over; a stateful one already when its own image and configuration are unchanged.
 */
export function placeSets(input: DeployInput): ReadonlyMap<string, PlacedSet> {
  const lanes = new LanePool(input.freeLanes);
  const decided = new Map<string, { carried: SetRecord | undefined; cause: string }>();
  for (const name of Object.keys(input.target.services).sort()) decide(name, input, decided);
  return new Map(
    [...decided].map(([name, { carried, cause }]) => {
      const record = carried ?? freshRecord(input, name);
      return [name, { record: withLanes(record, input, lanes), fresh: carried === undefined, cause }];
    }),
  );
}

type Decisions = Map<string, { carried: SetRecord | undefined; cause: string }>;

function decide(name: string, input: DeployInput, decided: Decisions): void {
  if (decided.has(name)) return;
  const released = input.target.services[name]!;
  if (released.job) return decideJob(name, input, decided);
  const same = liveSets(input.standing).filter((set) => isSameSet(set, released));
  const carried = same.find((set) => isSetAlive(set, input));
  const isForced = input.force && !released.stateful;
  if (carried !== undefined && !isForced) decided.set(name, { carried, cause: 'unchanged' });
  else decided.set(name, { carried: undefined, cause: carried === undefined ? causeOf(name, input) : 'forced' });
}

/** A job runs again when something that waits for it is started anew. */
function decideJob(name: string, input: DeployInput, decided: Decisions): void {
  const released = input.target.services[name]!;
  const waiting = Object.keys(input.target.services).filter((other) =>
    neededBy(input.target, other).some(([needed]) => needed === name),
  );
  for (const other of waiting) decide(other, input, decided);
  const starting = waiting.find((other) => decided.get(other)?.carried === undefined);
  const before = liveSets(input.standing).find((set) => isSameSet(set, released) && isSetAlive(set, input));
  if (before !== undefined && starting === undefined) decided.set(name, { carried: before, cause: 'has completed' });
  else
    decided.set(name, {
      carried: undefined,
      cause: starting === undefined ? causeOf(name, input) : `before ${starting}`,
    });
}

function isSameSet(set: SetRecord, released: ReleasedService): boolean {
  if (set.service !== released.name || set.instances.length !== released.replicas) return false;
  return released.stateful ? set.ownIdentity === released.ownIdentity : set.identity === released.identity;
}

function isSetAlive(set: SetRecord, input: DeployInput): boolean {
  return set.instances.every((name) => isAlive(instanceOf(input.observed, name), set.mayExit));
}

function causeOf(name: string, { kind, standing, releases, target }: DeployInput): string {
  if (standing.current === undefined) return 'first release';
  const released = target.services[name]!;
  const before = releases.get(standing.current.release)?.services[name];
  if (before === undefined) return 'new service';
  if (before.imageId !== released.imageId)
    return kind === 'rollback' ? 'image of the earlier release' : 'image changed';
  if (before.ownIdentity !== released.ownIdentity) return 'configuration changed';
  if (before.identity !== released.identity && !released.stateful) return 'a service that it depends on changed';
  return 'its instances do not run';
}

function freshRecord({ target, standing }: DeployInput, name: string): SetRecord {
  const released = target.services[name]!;
  const service = target.model.services[name]!;
  const network = primaryNetwork(target.model, target.number, name);
  const before = liveSets(standing).find((set) => set.service === name && set.origin === target.number);
  return {
    service: name,
    origin: target.number,
    identity: released.identity,
    ownIdentity: released.ownIdentity,
    stateful: released.stateful,
    job: released.job,
    mayExit: released.job || mayExit(service),
    instances: instanceNames(target, name, released.replicas),
    ...(network === undefined ? {} : { network }),
    lanes: before?.lanes ?? {},
    writes: writesOf(service, target),
  };
}

/** What is not restarted after success is meant to end some time. */
function mayExit({ restart, deploy }: Service): boolean {
  const condition = deploy?.restart_policy?.condition ?? restart?.split(':')[0];
  return condition === 'no' || condition === 'none' || condition === 'on-failure';
}

function instanceNames(target: Release, service: string, replicas: number): readonly string[] {
  return Array.from({ length: replicas }, (_, index) =>
    instanceName({ project: target.project, release: target.number, service, index: index + 1 }),
  );
}

function writesOf(service: Service, { model }: Release): readonly string[] {
  return (service.volumes ?? []).flatMap((mount) => {
    if (mount.read_only === true) return [];
    if (mount.type === 'bind') return [mount.source];
    if (mount.type !== 'volume' || mount.source === undefined) return [];
    return [model.volumes[mount.source]?.name ?? `${model.name}_${mount.source}`];
  });
}

/** A lane for each HTTP port of the service that is published and has none yet. */
function withLanes(record: SetRecord, input: DeployInput, pool: LanePool): SetRecord {
  const targets = input.ports
    .filter((port) => port.service === record.service && port.protocol === 'http')
    .map((port) => String(port.target));
  const missing = [...new Set(targets)].filter((target) => record.lanes[target] === undefined);
  if (missing.length === 0) return record;
  return {
    ...record,
    lanes: { ...record.lanes, ...Object.fromEntries(missing.map((target) => [target, pool.take()])) },
  };
}

class LanePool {
  readonly #free: LaneId[];

  constructor(free: readonly LaneId[]) {
    this.#free = [...free];
  }

  take(): LaneId {
    return this.#free.shift() ?? lanesExhausted();
  }
}
