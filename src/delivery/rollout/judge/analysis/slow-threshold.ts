import { quantileOf, type Quantiles } from './quantiles.ts';

/** Noise is not slowness: the threshold lies above the stable side's own p95 by the larger of both. */
export interface SlownessFloor {
  /** 1.1 is 10 % above p95. */
  readonly factor: number;
  readonly marginMs: number;
  /** Fewer durations of the stable side than this give no threshold yet. */
  readonly minimumDurations: number;
}

const DEFAULT_FLOOR: SlownessFloor = { factor: 1.1, marginMs: 5, minimumDurations: 100 };

/**
 * Milliseconds above which a request of either side counts as slow in the NEXT block, from the stable side's past
 * blocks only. Undefined while there are too few: then nothing is timed (`timed: 0`).
 */
export function slowThresholdOf(stablePast: Quantiles, floor: SlownessFloor = DEFAULT_FLOOR): number | undefined {
  const p95 = stablePast.count < floor.minimumDurations ? undefined : quantileOf(stablePast, 0.95);
  return p95 === undefined ? undefined : Math.max(p95 * floor.factor, p95 + floor.marginMs);
}
