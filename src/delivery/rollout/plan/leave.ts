import { containerPortOf, type InstanceBody, stepEach } from './plan.ts';
import type { Draft, Waves } from './draft.ts';
import { DECLARED, hookBodies } from './start.ts';
import type { Scene } from './scene.ts';
import type { SetRecord } from './standing.ts';
import type { Fitness, Step } from './step.ts';

/** How instances of a set leave: out of traffic first, then their hooks, then they are stopped. */
export interface WayOut {
  readonly cause: string;
  readonly drains: readonly InstanceBody<'drain-instance'>[];
  readonly exits: readonly InstanceBody<'remove-from-lane'>[];
  readonly hooks: readonly InstanceBody<'run-hooks'>[];
  /** What is taken back is fit again. */
  readonly fit: Fitness;
}

/** Instances that a release takes out of traffic and stops. */
export interface Departure {
  readonly way: WayOut;
  readonly instances: readonly string[];
}

export function wayOutOf(scene: Scene, record: SetRecord, cause: string): WayOut {
  const at = record.network === undefined ? {} : { network: record.network };
  const exits = scene
    .doorsOf(record)
    .map(({ lane, port }) => ({ kind: 'remove-from-lane', lane, place: { port, ...at } }) as const);
  return {
    cause,
    exits,
    drains: drainsOf(scene, record),
    hooks: hooksOf(scene, record),
    fit: oldFitness(scene, record),
  };
}

export function leaveWaves(departures: readonly Departure[]): Waves {
  return [
    departures.flatMap(drain),
    departures.flatMap(goOut),
    departures.flatMap(({ way, instances }) =>
      stepEach(way.cause, instances, [{ kind: 'stop-instance', fit: way.fit }]),
    ),
  ];
}

function drain({ way, instances }: Departure): readonly Step[] {
  return stepEach<InstanceBody<'drain-instance'>>(way.cause, instances, way.drains);
}

function goOut({ way, instances }: Departure): readonly Step[] {
  const exits = stepEach(way.cause, instances, way.exits);
  return way.hooks.length === 0 ? exits : [...exits, ...stepEach(DECLARED, instances, way.hooks)];
}

/** It never listened on ports that are new. */
function oldFitness(scene: Scene, record: SetRecord): Fitness {
  const fitness = scene.fitnessOf(record);
  const published = scene.publishedBy.get(record.service) ?? [];
  const isKnown = (port: number): boolean => published.some(({ route }) => containerPortOf(route) === port);
  return fitness.ports.every(isKnown) ? fitness : { ...fitness, ports: fitness.ports.filter(isKnown) };
}

/** What a set that is carried over does not need any more, behind the switch: nothing of it is taken back. */
export function shrinkWaves({ scene, placed }: Draft): Waves {
  const departures = placed
    .filter(({ leaving }) => leaving.length > 0)
    .map(({ record, leaving, cause }) => ({
      way: wayOutOf(scene, record, cause),
      instances: leaving.filter((name) => scene.instances.has(name)),
    }));
  const running = departures.map(({ way, instances }) => ({
    way,
    instances: instances.filter((name) => scene.instances.get(name)?.state !== 'exited'),
  }));
  return [
    running.flatMap(drain),
    [
      ...departures.flatMap(({ way, instances }) => stepEach(way.cause, instances, way.exits)),
      ...running.flatMap(({ way, instances }) => stepEach(DECLARED, instances, way.hooks)),
    ],
    running.flatMap(({ way, instances }) => stepEach(way.cause, instances, [{ kind: 'stop-instance' }])),
    departures.flatMap(({ way, instances }) => stepEach(way.cause, instances, [{ kind: 'remove-instance' }])),
  ];
}

/** What is left of a set that was replaced in batches, behind the switch. */
export interface Remains extends Departure {
  /** Those that have left already: they are in no lane. */
  readonly left: readonly string[];
  readonly record: SetRecord;
}

export function discardWaves({ scene }: Draft, remains: readonly Omit<Remains, 'instances'>[]): Waves {
  const cause = 'replaced in batches';
  const there = remains.map((each) => ({
    ...each,
    instances: each.record.instances.filter((name) => scene.instances.has(name)),
  }));
  return [
    there.flatMap(({ way, instances, left }) => {
      const inLanes = left.length === instances.length ? [] : instances.filter((name) => !left.includes(name));
      return stepEach(cause, inLanes, way.exits);
    }),
    there.flatMap(({ instances }) => stepEach(cause, instances, [{ kind: 'remove-instance' }])),
  ];
}

function drainsOf({ target, portsBy, doorsOf }: Scene, record: SetRecord): WayOut['drains'] {
  const deadlineMs = target.model.settings.drainMs;
  const at = record.network === undefined ? {} : { network: record.network };
  const flows = (portsBy.get(record.service) ?? []).find(({ protocol }) => protocol !== 'http');
  const bodies = doorsOf(record).map((door) => ({ ...door, kind: 'drain-instance', deadlineMs, ...at }) as const);
  return flows === undefined ? bodies : [...bodies, { kind: 'drain-instance', deadlineMs, port: flows.target, ...at }];
}

function hooksOf({ releases, target, standing }: Scene, record: SetRecord): WayOut['hooks'] {
  const release = releases.get(record.origin) ?? releases.get(standing.current?.release ?? 0) ?? target;
  return hookBodies(release, record, 'pre_stop');
}
