/**
 * A log-bucketed histogram of durations, as DDSketch (Masson, Rim, Lee, VLDB 2019): any quantile is right to 1 %,
 * two can be merged, and it never holds more than about 1,000 buckets. Plain JSON.
 */
export interface Quantiles {
  readonly count: number;
  /** Bucket and how many durations are in it, ascending. */
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
}

export const NO_DURATIONS: Quantiles = { count: 0, buckets: [] };

/** Largest error of a quantile, relative to its value. */
const PRECISION = 0.01;
const LOG_GAMMA = Math.log((1 + PRECISION) / (1 - PRECISION));
/** Shorter and longer durations count as these. */
const SHORTEST_MS = 0.01;
const LONGEST_MS = 3_600_000;

/** Durations in milliseconds, added to what was there. */
export function addDurations(quantiles: Quantiles, durationsMs: readonly number[]): Quantiles {
  const counts = new Map<number, number>();
  for (const duration of durationsMs) {
    const bucket = bucketOf(duration);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return mergeQuantiles(quantiles, { count: durationsMs.length, buckets: [...counts] });
}

export function mergeQuantiles(a: Quantiles, b: Quantiles): Quantiles {
  const counts = new Map(a.buckets);
  for (const [bucket, count] of b.buckets) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  return { count: a.count + b.count, buckets: [...counts].sort(([left], [right]) => left - right) };
}

/** Milliseconds below which the fraction `q` (0..1) of the durations lies; undefined without durations. */
export function quantileOf(quantiles: Quantiles, q: number): number | undefined {
  const rank = Math.max(1, Math.ceil(q * quantiles.count));
  let below = 0;
  for (const [bucket, count] of quantiles.buckets) {
    below += count;
    if (below >= rank) return middleOf(bucket);
  }
  return undefined;
}

function bucketOf(durationMs: number): number {
  const bounded = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, durationMs));
  return Math.ceil(Math.log(bounded) / LOG_GAMMA);
}

/** The value that is off by the same ratio at both ends of the bucket. */
function middleOf(bucket: number): number {
  const upper = Math.exp(bucket * LOG_GAMMA);
  return (2 * upper) / (Math.exp(LOG_GAMMA) + 1);
}
