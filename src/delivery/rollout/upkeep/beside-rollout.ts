import type { StepRecord } from '../execute/journal.ts';
import type { BrokenInstance } from '../plan/heal.ts';
import { liveReleases, type LiveRelease, type Standing } from '../plan/standing.ts';
import type { Step } from '../plan/step.ts';

/**
 * Whether an instance may be made again under its name while a rollout runs: it does not run, no step of the rollout
 * is about it (but one that has connected it to the new release), and its flows do not go past the proxy, where shares
 * are by address. Pure.
 * @param steps of the rollout; undefined: nobody knows them
 */
export function isUntouched(
  { name, set, isRunning }: BrokenInstance,
  standing: Standing,
  steps: readonly StepRecord[] | undefined,
): boolean {
  if (steps === undefined || isRunning) return false;
  const isPlain = standing.ports.every(
    ({ route, protocol }) => protocol === 'http' || serviceOf(route) !== set.service,
  );
  return isPlain && steps.every((each) => isDoneConnection(each) || !namesOf(each.step).includes(name));
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
