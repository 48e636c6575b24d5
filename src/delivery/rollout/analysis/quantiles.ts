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

/** Durations in milliseconds, added to what was there. */
export function addDurations(quantiles: Quantiles, durationsMs: readonly number[]): Quantiles {
  throw new Error(`not built yet: ${quantiles.count} ${durationsMs.length}`);
}

export function mergeQuantiles(a: Quantiles, b: Quantiles): Quantiles {
  throw new Error(`not built yet: ${a.count} ${b.count}`);
}

/** Milliseconds below which the fraction `q` (0..1) of the durations lies; undefined without durations. */
export function quantileOf(quantiles: Quantiles, q: number): number | undefined {
  throw new Error(`not built yet: ${quantiles.count} ${q}`);
}
