import { type Verdict, verdictOf } from './analysis/index.ts';
import type { Progress } from './progress.ts';

/** The last word of the analysis, as far as anything was compared. */
export function verdictOfProgress({ comparison, activity }: Progress): Verdict | undefined {
  return comparison === undefined
    ? undefined
    : verdictOf(comparison.analysis, { share: activity.stage?.weight ?? 5_000 });
}
