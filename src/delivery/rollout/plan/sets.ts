import { instanceName } from '../../fleet/index.ts';
import type { ReleasedService } from '../../release/index.ts';
import type { LaneId } from '../../traffic/index.ts';
import { isAlive, lanesExhausted } from './plan.ts';
import type { Scene } from './scene.ts';
import { freshRecord } from './set-record.ts';
import type { SetRecord } from './standing.ts';

/** One service of the target: carried over as it is, with other instances, or started anew. */
export interface PlacedSet {
  /** As it is to be. */
  readonly record: SetRecord;
  readonly fresh: boolean;
  /** Why it is fresh, or why it is not. */
  readonly cause: string;
  /** Instances that have to be made: all of a fresh set, those that are missing in one that is carried over. */
  readonly starting: readonly Newcomer[];
  /** Instances of a set that is carried over that it does not need any more, or that do not run. */
  readonly leaving: readonly string[];
}

export interface Newcomer {
  readonly instance: string;
  /** Counts from 1 within its set; there may be gaps. */
  readonly index: number;
}

/** Some of the instances that a set gets. */
export interface Portion {
  readonly set: PlacedSet;
  readonly newcomers: readonly Newcomer[];
}

/**
 * Decides for each service of the target which set serves it. A set whose identity is unchanged and of which anything
 * lives is carried over, with as many instances as the target declares; a stateful one already when its own image and
 * configuration are unchanged.
 */
export function placeSets(scene: Scene): ReadonlyMap<string, PlacedSet> {
  const lanes = new LanePool(scene.freeLanes);
  const decided: Decisions = new Map();
  for (const name of Object.keys(scene.target.services).sort()) decide(name, scene, decided);
  return new Map(
    [...decided].map(([name, { carried, cause }]) => {
      const set = carried === undefined ? freshSet(scene, name, cause) : carriedSet(scene, carried, cause);
      return [name, { ...set, record: withLanes(set.record, scene, lanes) }];
    }),
  );
}

type Decisions = Map<string, { carried: SetRecord | undefined; cause: string }>;

function decide(name: string, scene: Scene, decided: Decisions): void {
  if (decided.has(name)) return;
  const released = scene.target.services[name]!;
  if (released.job) return decideJob(name, scene, decided);
  const same = (scene.liveBy.get(name) ?? []).filter((set) => isSameSet(set, released));
  const carried = same.find((set) => isSetAlive(set, scene)) ?? same.find((set) => canBeCarried(set, released, scene));
  const isForced = scene.force && !released.stateful;
  if (carried !== undefined && !isForced) decided.set(name, { carried, cause: 'unchanged' });
  else decided.set(name, { carried: undefined, cause: carried === undefined ? causeOf(name, scene) : 'forced' });
}

/** A job runs again when something that waits for it is started anew. */
function decideJob(name: string, scene: Scene, decided: Decisions): void {
  const released = scene.target.services[name]!;
  const waiting = scene.neededFor.get(name) ?? [];
  for (const other of waiting) decide(other, scene, decided);
  const starting = waiting.find((other) => decided.get(other)?.carried === undefined);
  const before = (scene.liveBy.get(name) ?? []).find((set) => isSameSet(set, released) && isSetAlive(set, scene));
  if (before !== undefined && starting === undefined) decided.set(name, { carried: before, cause: 'has completed' });
  else
    decided.set(name, {
      carried: undefined,
      cause: starting === undefined ? causeOf(name, scene) : `before ${starting}`,
    });
}

function isSameSet(set: SetRecord, released: ReleasedService): boolean {
  return released.stateful ? set.ownIdentity === released.ownIdentity : set.identity === released.identity;
}

function isSetAlive(set: SetRecord, scene: Scene): boolean {
  return set.instances.every((name) => isAlive(scene.instances.get(name), set.mayExit));
}

/** A part of it lives: the rest is made again. What writes to a volume starts anew as a whole, one after the other. */
function canBeCarried(set: SetRecord, { stateful, replicas }: ReleasedService, scene: Scene): boolean {
  if (stateful) return false;
  return replicas === 0 || set.instances.some((name) => isAlive(scene.instances.get(name), set.mayExit));
}

function causeOf(name: string, { kind, standing, releases, target }: Scene): string {
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

function freshSet(scene: Scene, name: string, cause: string): PlacedSet {
  const { project, number, services } = scene.target;
  const starting = Array.from({ length: services[name]!.replicas }, (_, at): Newcomer => {
    const index = at + 1;
    return { index, instance: instanceName({ project, release: number, service: name, index }) };
  });
  const record = freshRecord(
    scene,
    name,
    starting.map(({ instance }) => instance),
  );
  return { record, fresh: true, cause, starting, leaving: [] };
}

/** The number of its instances is no part of what a set is: some may come, some may go. */
function carriedSet(scene: Scene, set: SetRecord, cause: string): PlacedSet {
  const { replicas } = scene.target.services[set.service]!;
  const alive = set.instances.filter((name) => set.job || isAlive(scene.instances.get(name), set.mayExit));
  const kept = set.job ? set.instances : alive.slice(0, replicas);
  const leaving = set.instances.filter((name) => !kept.includes(name));
  const missing = set.job ? 0 : replicas - kept.length;
  if (leaving.length === 0 && missing === 0) return { record: set, fresh: false, cause, starting: [], leaving };
  const starting = missing === 0 ? [] : freeNames(scene, set, missing);
  const instances = [...kept, ...starting.map(({ instance }) => instance)].sort((a, b) => indexOf(a) - indexOf(b));
  return {
    record: { ...set, instances },
    fresh: false,
    cause: replicas === set.instances.length ? sayReplaced(leaving) : `${set.instances.length} → ${replicas} instances`,
    starting,
    leaving,
  };
}

function sayReplaced(leaving: readonly string[]): string {
  return `${leaving.join(', ')} ${leaving.length === 1 ? 'does' : 'do'} not run`;
}

/** Names of this set that nobody has, the lowest index first. */
function freeNames({ target, instances }: Scene, set: SetRecord, count: number): readonly Newcomer[] {
  const { service, origin } = set;
  const own = new Set(set.instances);
  const names: Newcomer[] = [];
  for (let index = 1; names.length < count; index++) {
    const instance = instanceName({ project: target.project, release: origin, service, index });
    if (!own.has(instance) && !instances.has(instance)) names.push({ instance, index });
  }
  return names;
}

function indexOf(instance: string): number {
  return Number(instance.slice(instance.lastIndexOf('-') + 1));
}

/** A lane for each HTTP port of the service that is published and has none yet. */
function withLanes(record: SetRecord, { portsBy }: Scene, pool: LanePool): SetRecord {
  const targets = (portsBy.get(record.service) ?? [])
    .filter((port) => port.protocol === 'http')
    .map((port) => String(port.target));
  const missing = [...new Set(targets)].filter((target) => record.lanes[target] === undefined);
  if (missing.length === 0) return record;
  return {
    ...record,
    lanes: { ...record.lanes, ...Object.fromEntries(missing.map((target) => [target, pool.take()])) },
  };
}

class LanePool {
  readonly #free: readonly LaneId[];
  #taken = 0;

  constructor(free: readonly LaneId[]) {
    this.#free = free;
  }

  take(): LaneId {
    return this.#free[this.#taken++] ?? lanesExhausted();
  }
}
