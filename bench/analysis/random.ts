/** Uniform on [0, 1): sfc32 of a seed, so that every figure can be made again. */
export type Random = () => number;

export function randomOf(seed: number, run: number): Random {
  let [a, b, c, counter] = [seed | 0, run | 0, 0x9e3779b9 | 0, 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let warm = 0; warm < 15; warm++) next();
  return next;
}

/** Number of hits among `trials`: jumps from hit to hit. */
export function binomial(random: Random, trials: number, rate: number): number {
  if (rate > 0.5) return trials - binomial(random, trials, 1 - rate);
  if (rate <= 0) return 0;
  const scale = 1 / Math.log1p(-rate);
  let hits = -1;
  for (let at = 0; at <= trials; hits++) at += Math.floor(Math.log(1 - random()) * scale) + 1;
  return hits;
}

/** Standard normal (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
