import type { ObservedInstance } from '../../fleet/index.ts';
import type { StepRecord } from '../execute/journal.ts';
import type { BrokenInstance } from '../plan/heal.ts';
import { instanceOf, type Observed } from '../plan/plan.ts';
import { liveReleases, type LiveRelease, type Standing } from '../plan/standing.ts';
import type { Step } from '../plan/step.ts';

/** Where a rollout stands, and what there is beside it. */
export interface BesideRollout {
  readonly standing: Standing;
  readonly observed: Observed;
  /** Of the rollout; undefined: nobody knows them. */
  readonly steps: readonly StepRecord[] | undefined;
}

/**
 * Whether an instance may be made again under its name while a rollout runs: no step of the rollout is about it (but
 * one that has connected it to the new release), and it does not run, or may go before its successor comes. Pure.
 */
export function mayBeReplaced(broken: BrokenInstance, o: BesideRollout): boolean {
  const { name, isRunning } = broken;
  if (o.steps === undefined) return false;
  const isUntouched = o.steps.every((each) => isDoneConnection(each) || !namesOf(each.step).includes(name));
  return isUntouched && (!isRunning || mayGoFirst(broken, o));
}

/** Others of its service are well and get its requests, and none reach it past the proxy. */
function mayGoFirst({ name, set }: BrokenInstance, { standing, observed }: BesideRollout): boolean {
  const isPlain = standing.ports.every(
    ({ route, protocol }) => protocol === 'http' || serviceOf(route) !== set.service,
  );
  return isPlain && set.instances.some((other) => other !== name && isWell(instanceOf(observed, other)));
}

function isWell(instance: ObservedInstance | undefined): boolean {
  return instance?.state === 'running' && (instance.health === 'healthy' || instance.health === 'none');
}

/** Those that run leave one after the other. */
export function oneAtATime(broken: readonly BrokenInstance[]): readonly BrokenInstance[] {
  const first = broken.find(({ isRunning }) => isRunning);
  return broken.filter((each) => !each.isRunning || each === first);
}

function isDoneConnection({ step, outcome }: StepRecord): boolean {
  return step.kind === 'connect-network' && outcome === 'done';
}

function namesOf(step: Step): readonly string[] {
  if (step.kind === 'monitor') return step.instances;
  if (step.kind === 'analyse') return step.guarded;
  return 'instance' in step ? [step.instance] : [];
}

/** `<project>/<service>/<port>` */
function serviceOf(route: string): string | undefined {
  return route.split('/')[1];
}

/** What will stand when the rollout has switched, as one more live release: its names are served already. */
export function withCandidate(standing: Standing, steps: readonly StepRecord[] | undefined): Standing {
  const next = (steps ?? []).flatMap(({ step, undoing }) =>
    step.kind === 'set-standing' && !undoing && step.standing.current !== undefined ? [step.standing.current] : [],
  );
  const candidate: LiveRelease | undefined = next.at(-1);
  const isKnown = liveReleases(standing).some(({ release }) => release === candidate?.release);
  if (candidate === undefined || isKnown) return standing;
  return { ...standing, warm: [...standing.warm, { ...candidate, sinceMs: null, keepMs: 0, drainMs: 0, rollout: 0 }] };
}
