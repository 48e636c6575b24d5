/**
 * Hodges and Lehmann's estimate of how much higher `a` is than `b`, and the lower end of its 98 % confidence interval
 * by the normal approximation, as R's wilcox.test(conf.int = TRUE, conf.level = 0.98), which Kayenta calls.
 */
export function mannWhitneyLower(a: readonly number[], b: readonly number[]): { lower: number; estimate: number } {
  const differences = Float64Array.from(a.flatMap((left) => b.map((right) => left - right))).sort();
  const count = differences.length;
  const spread = 2.326 * Math.sqrt((count * (a.length + b.length + 1)) / 12);
  const rank = Math.floor(count / 2 - spread);
  const middle = ((differences[Math.floor((count - 1) / 2)] ?? 0) + (differences[Math.floor(count / 2)] ?? 0)) / 2;
  return { lower: rank < 0 ? Number.NEGATIVE_INFINITY : (differences[rank] ?? 0), estimate: middle };
}
