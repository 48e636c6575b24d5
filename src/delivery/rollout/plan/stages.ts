import { step } from './plan.ts';
import { endOfPreview, jobsAt, jobWaves, previewSteps, smokeTests } from './checks.ts';
import { installSteps, laterCertificateSteps } from './certificates.ts';
import type { Draft, Waves } from './draft.ts';
import { shrinkWaves } from './leave.ts';
import { isMoved, optionSteps, publishSteps, removedTraffic } from './ports.ts';
import { prepareWaves } from './prepare.ts';
import { addToLanes, changesWhere, isAdded, type RouteChanges, restoreLanes, switchSteps } from './routes.ts';
import type { Scene } from './scene.ts';
import type { PlacedSet, Portion } from './sets.ts';
import { standingStep } from './standing-after.ts';
import { startWaves } from './start.ts';
import type { Step } from './step.ts';

/** All that a set still has to start. */
function wholeOf(set: PlacedSet): Portion {
  return { set, newcomers: set.starting };
}

/** Those of which there is anything to start. */
export function portionsOf(draft: Draft): readonly Portion[] {
  return draft.placed.filter(({ starting }) => starting.length > 0).map(wholeOf);
}

/**
 * The new instances beside those that serve: made, started, healthy, in their lanes, tested, with every job done that
 * comes before traffic moves. No traffic has moved, but to stateful sets that took their predecessors' places.
 * @param makingRoom what has to happen before anything starts
 */
export function standUpWaves(draft: Draft, portions: readonly Portion[], makingRoom: Waves = []): Waves {
  const { scene, placed } = draft;
  const jobServices = [...jobsAt(scene, 'before-start'), ...jobsAt(scene, 'before-switch')].map(
    ([, job]) => job.service,
  );
  return [
    ...prepareWaves(draft, portions, jobServices),
    ...makingRoom,
    ...startWithJobs(draft, portions),
    [...placed.flatMap((set) => restoreLanes(set, scene)), ...laneSteps(draft, portions)],
    previewSteps(draft),
    smokeTests(draft, portions),
    ...jobWaves(scene, 'before-switch'),
  ];
}

/** Into the lanes, except where that was done at the start. */
export function laneSteps({ scene, predecessors }: Draft, portions: readonly Portion[]): readonly Step[] {
  return portions
    .filter(({ set }) => !predecessors.has(set.record.service))
    .flatMap((portion) => addToLanes(portion, scene));
}

/** What a job's own service needs is there before the job runs. */
function startWithJobs(draft: Draft, portions: readonly Portion[]): Waves {
  const { scene } = draft;
  const jobs = jobsAt(scene, 'before-start');
  const needed =
    jobs.length === 0
      ? new Set<string>()
      : neededByJobs(
          scene,
          jobs.map(([, job]) => job.service),
        );
  const isNeeded = ({ set }: Portion): boolean => needed.has(set.record.service);
  return [
    ...startWaves(draft, portions.filter(isNeeded), needed),
    ...jobWaves(scene, 'before-start'),
    ...startWaves(
      draft,
      portions.filter((portion) => !isNeeded(portion)),
    ),
  ];
}

function neededByJobs({ needs }: Scene, services: readonly string[]): ReadonlySet<string> {
  const needed = new Set<string>();
  const add = (name: string): void => {
    for (const [other] of needs.get(name) ?? []) {
      if (needed.has(other)) continue;
      needed.add(other);
      add(other);
    }
  };
  services.forEach(add);
  return needed;
}

/** Changes of traffic that come with the switch, not with the start of a stateful set. */
export function laterChanges({ changes, predecessors }: Draft): RouteChanges {
  return changesWhere(changes, ({ service }) => !predecessors.has(service));
}

/**
 * The traffic of all services at one instant; ports and routes that are new come just before.
 * @param besides other steps of the same wave
 */
export function tipOverWaves(
  draft: Draft,
  changes: RouteChanges = laterChanges(draft),
  besides: readonly Step[] = [],
): Waves {
  const { scene } = draft;
  const cause = scene.kind === 'rollback' ? 'its sets are healthy' : 'the new sets are healthy';
  return [
    [...installSteps(scene), ...switchSteps('new routes', changesWhere(changes, isAdded))],
    publishSteps(scene).filter((each) => !isMoved(scene, each)),
    [
      ...switchSteps(
        cause,
        changesWhere(changes, (change) => !isAdded(change)),
      ),
      ...besides,
    ],
    [...optionSteps(scene), ...endOfPreview(draft)],
  ];
}

/** The new standing, from which on nothing is taken back, and what comes behind it. */
export function settleWaves(draft: Draft, stopped?: ReadonlySet<string>): Waves {
  const { scene } = draft;
  const removed = removedTraffic(scene);
  return [
    [standingStep(draft, stopped)],
    removed.ports,
    [...removed.routes, ...publishSteps(scene).filter((each) => isMoved(scene, each))],
    laterCertificateSteps(scene),
    ...jobWaves(scene, 'after-switch'),
    ...shrinkWaves(draft),
  ];
}

/** A person says when to go on. */
export function confirmationWave(draft: Draft): readonly Step[] {
  const { scene, placed } = draft;
  if (!scene.target.model.settings.confirm || scene.kind !== 'deploy') return [];
  const guarded = guardedOf(placed);
  const body = { kind: 'analyse', stage: 0, stages: 0, weight: 0, sides: [], guarded } as const;
  return [step('declared: a person confirms', { ...body, until: { confirmed: true } })];
}

/** New instances that are meant to go on running. */
export function guardedOf(placed: readonly PlacedSet[]): readonly string[] {
  return placed
    .filter(({ record }) => !record.job && !record.mayExit)
    .flatMap(({ starting }) => starting.map(({ instance }) => instance));
}
