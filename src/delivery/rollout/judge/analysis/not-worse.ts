import type { Pair } from './worse.ts';

/** A bet: the rates that it takes for true. */
export interface Rates {
  readonly stable: number;
  readonly candidate: number;
}

/** Rates that are bet on: base rates by factors of two around the margin, the candidate equal or a third of the margin worse. */
export function betsOfNotWorse(delta: number): readonly Rates[] {
  const doublings = Math.ceil(Math.log2(HIGHEST_RATE / (delta / 50)));
  const rates = Array.from({ length: doublings }, (_, index) => (delta / 50) * 2 ** index);
  return rates.flatMap((rate) => [
    { stable: rate, candidate: rate },
    { stable: rate, candidate: rate + delta / 3 },
  ]);
}

const HIGHEST_RATE = 0.5;

/**
 * Growth of each bet of "not worse" in one block: the likelihood of the bet's rates over that of the closest rates
 * with candidate = stable + delta. An e-variable for "the candidate's mean rate in this block is at least delta above
 * stable's" (docs/analysis.md, "Not worse").
 */
export function growthOfNotWorse(
  block: Pair,
  o: { readonly delta: number; readonly bets: readonly Rates[] },
): readonly number[] {
  const share = block.candidate.requests / (block.candidate.requests + block.stable.requests);
  return o.bets.map((bet) => {
    const closest = closestNull(bet, { share, delta: o.delta });
    return (
      logLikelihood(block.stable, bet.stable) -
      logLikelihood(block.stable, closest.stable) +
      logLikelihood(block.candidate, bet.candidate) -
      logLikelihood(block.candidate, closest.candidate)
    );
  });
}

/**
 * Rates with candidate = stable + delta of least Kullback-Leibler divergence from the bet: where its slope is zero.
 * That is the one root of a cubic between `low` and `high`: Newton's steps, or halving where they lead outside.
 */
export function closestNull(bet: Rates, o: { readonly share: number; readonly delta: number }): Rates {
  let low = Math.max(0, bet.candidate - o.delta);
  let high = Math.min(bet.stable, 1 - o.delta);
  let rate = (low + high) / 2;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { value, slope } = cubicAt(rate, bet, o);
    if (value < 0) low = rate;
    else high = rate;
    const newton = rate - value / slope;
    if (Math.abs(newton - rate) <= rate * PRECISION) break;
    rate = newton > low && newton < high ? newton : (low + high) / 2;
  }
  return { stable: rate, candidate: rate + o.delta };
}

const MOST_STEPS = 60;
const PRECISION = 1e-12;

/** (1 - share) (x - stable) y (1 - y) + share (y - candidate) x (1 - x) with y = x + delta, and its derivative. */
function cubicAt(
  x: number,
  bet: Rates,
  { share, delta }: { readonly share: number; readonly delta: number },
): { readonly value: number; readonly slope: number } {
  const y = x + delta;
  const [ofX, ofY] = [x * (1 - x), y * (1 - y)];
  const [awayX, awayY] = [x - bet.stable, y - bet.candidate];
  return {
    value: (1 - share) * awayX * ofY + share * awayY * ofX,
    slope: (1 - share) * (ofY + awayX * (1 - 2 * y)) + share * (ofX + awayY * (1 - 2 * x)),
  };
}

function logLikelihood(seen: { readonly requests: number; readonly hits: number }, rate: number): number {
  return seen.hits * Math.log(rate) + (seen.requests - seen.hits) * Math.log1p(-rate);
}
