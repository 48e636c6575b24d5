import type { StepRecord } from './journal.ts';

/** A cut is noticed a little later than it is made. */
const EARLY_MS = 250;
const LATE_MS = 3_000;

/** Whether a drain whose declared deadline has just come cuts connections at this moment. */
export function isDrainDeadline(steps: readonly StepRecord[], nowMs: number): boolean {
  return steps.some(({ step, startedMs }) => {
    if (startedMs === undefined || step.kind !== 'drain-instance') return false;
    const sinceMs = nowMs - (startedMs + step.deadlineMs);
    return sinceMs >= -EARLY_MS && sinceMs <= LATE_MS;
  });
}
