import type { StepRecord } from '../execute/journal.ts';

/**
 * How long the traffic of the release took to move, milliseconds: from the first of the writes that decide (one for all
 * HTTP routes, one for each TCP route) to the answer of the last. Steps that were recorded by an older Bascule have no
 * such moments: then it is the longest of them, with all that they wrote down before.
 */
export function switchDuration(steps: readonly StepRecord[]): number | undefined {
  const switches = steps.filter(
    ({ step, undoing, outcome }) =>
      !undoing && outcome === 'done' && (step.kind === 'switch-routes' || step.kind === 'switch-tcp'),
  );
  const last = switches.at(-1)?.wave;
  const wave = switches.filter((each) => each.wave === last);
  const moments = wave.flatMap(({ moved }) => moved ?? []);
  if (moments.length > 0) {
    return Math.max(...moments.map(({ untilMs }) => untilMs)) - Math.min(...moments.map(({ fromMs }) => fromMs));
  }
  const durations = wave.map(({ durationMs }) => durationMs ?? 0);
  return durations.length === 0 ? undefined : Math.max(...durations);
}
