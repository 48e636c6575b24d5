import { containerPortOf, type InstanceBody, stepEach } from './plan.ts';
import type { Draft, Waves } from './draft.ts';
import { fitnessOf, hookSteps } from './start.ts';
import type { Scene } from './scene.ts';
import type { SetRecord } from './standing.ts';
import type { Fitness, Step } from './step.ts';

/** Instances that a release takes out of traffic and stops. */
export interface Departure {
  readonly record: SetRecord;
  readonly instances: readonly string[];
  readonly cause: string;
}

/** Out of traffic first: their requests end, their hooks run, then they are stopped. What is taken back is fit again. */
export function leaveWaves({ scene }: Draft, departures: readonly Departure[]): Waves {
  return [
    departures.flatMap((each) => drainSteps(scene, each)),
    departures.flatMap((each) => {
      const [lanes, hooks] = [outOfLanes(scene, each), hooksOf(scene, each)];
      return hooks.length === 0 ? lanes : [...lanes, ...hooks];
    }),
    departures.flatMap(({ record, instances, cause }) => {
      return stepEach(cause, instances, [{ kind: 'stop-instance', fit: oldFitness(scene, record) }]);
    }),
  ];
}

/** It never listened on ports that are new. */
function oldFitness(scene: Scene, record: SetRecord): Fitness {
  const fitness = fitnessOf(scene, record);
  const published = scene.publishedBy.get(record.service) ?? [];
  const isKnown = (port: number): boolean => published.some(({ route }) => containerPortOf(route) === port);
  return fitness.ports.every(isKnown) ? fitness : { ...fitness, ports: fitness.ports.filter(isKnown) };
}

/** What a set that is carried over does not need any more, behind the switch: nothing of it is taken back. */
export function shrinkWaves(draft: Draft): Waves {
  const { scene } = draft;
  const departures = draft.placed
    .filter(({ leaving }) => leaving.length > 0)
    .map(({ record, leaving, cause }) => ({
      record,
      instances: leaving.filter((name) => scene.instances.has(name)),
      cause,
    }));
  const running = departures.map((each) => ({
    ...each,
    instances: each.instances.filter((name) => scene.instances.get(name)?.state !== 'exited'),
  }));
  return [
    running.flatMap((each) => drainSteps(scene, each)),
    [...departures.flatMap((each) => outOfLanes(scene, each)), ...running.flatMap((each) => hooksOf(scene, each))],
    running.flatMap(({ instances, cause }) => stepEach(cause, instances, [{ kind: 'stop-instance' }])),
    departures.flatMap(({ instances, cause }) => stepEach(cause, instances, [{ kind: 'remove-instance' }])),
  ];
}

/** Remains of sets that were replaced in batches, behind the switch. */
export function discardWaves({ scene }: Draft, sets: readonly SetRecord[]): Waves {
  const cause = 'replaced in batches';
  const remains = sets.map((record) => ({
    record,
    instances: record.instances.filter((name) => scene.instances.has(name)),
    cause,
  }));
  return [
    remains.flatMap((each) => outOfLanes(scene, each)),
    remains.flatMap(({ instances }) => stepEach(cause, instances, [{ kind: 'remove-instance' }])),
  ];
}

function drainSteps({ target, portsBy, doorsOf }: Scene, { record, instances, cause }: Departure): readonly Step[] {
  const deadlineMs = target.model.settings.drainMs;
  const at = record.network === undefined ? {} : { network: record.network };
  const flows = (portsBy.get(record.service) ?? []).find(({ protocol }) => protocol !== 'http');
  const bodies = doorsOf(record).map((door) => ({ ...door, kind: 'drain-instance', deadlineMs, ...at }) as const);
  const past = flows === undefined ? [] : [{ kind: 'drain-instance', deadlineMs, port: flows.target, ...at } as const];
  return stepEach<InstanceBody<'drain-instance'>>(cause, instances, [...bodies, ...past]);
}

function outOfLanes({ doorsOf }: Scene, { record, instances, cause }: Departure): readonly Step[] {
  const at = record.network === undefined ? {} : { network: record.network };
  return stepEach(
    cause,
    instances,
    doorsOf(record).map(({ lane, port }) => ({ kind: 'remove-from-lane', lane, place: { port, ...at } }) as const),
  );
}

function hooksOf({ releases, target, standing }: Scene, { record, instances }: Departure): readonly Step[] {
  const release = releases.get(record.origin) ?? releases.get(standing.current?.release ?? 0) ?? target;
  return hookSteps(release, record, { hook: 'pre_stop', instances });
}
