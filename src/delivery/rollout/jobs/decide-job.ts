import type { JobEnd, JobRun } from './job-runs.ts';

/** What has to be done for a job of which this is known. */
export type JobDecision =
  | { readonly act: 'nothing' }
  /** `isNew`: nobody has begun this attempt. Otherwise its container is looked for first. */
  | { readonly act: 'run'; readonly attempt: number; readonly isNew: boolean; readonly pauseMs: number }
  | { readonly act: 'fail'; readonly attempts: number; readonly ended: JobEnd };

/** A job that has succeeded never runs again; one that failed is tried again as often as declared. */
export function decideJob(runs: readonly JobRun[], { retries }: { readonly retries: number }): JobDecision {
  const last = runs.at(-1);
  if (last === undefined) return { act: 'run', attempt: 1, isNew: true, pauseMs: 0 };
  const { attempt, ended } = last;
  if (ended === undefined) return { act: 'run', attempt, isNew: false, pauseMs: 0 };
  if (ended.outcome === 'succeeded') return { act: 'nothing' };
  if (attempt > retries) return { act: 'fail', attempts: attempt, ended };
  return { act: 'run', attempt: attempt + 1, isNew: true, pauseMs: pauseBefore(attempt) };
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** Twice as long after each failure. */
function pauseBefore(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
}
