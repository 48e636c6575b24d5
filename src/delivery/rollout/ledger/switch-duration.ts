import type { StepRecord } from '../execute/journal.ts';

/** The wave that moved the traffic of the release: the longest of its steps, since they run side by side. */
export function switchDuration(steps: readonly StepRecord[]): number | undefined {
  const switches = steps.filter(
    ({ step, undoing, outcome }) =>
      !undoing && outcome === 'done' && (step.kind === 'switch-routes' || step.kind === 'switch-tcp'),
  );
  const last = switches.at(-1)?.wave;
  const durations = switches.filter(({ wave }) => wave === last).map(({ durationMs }) => durationMs ?? 0);
  return durations.length === 0 ? undefined : Math.max(...durations);
}
