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

/** Rates with candidate = stable + delta of least Kullback-Leibler divergence from the bet: where its slope is zero. */
export function closestNull(bet: Rates, o: { readonly share: number; readonly delta: number }): Rates {
  let low = Math.max(0, bet.candidate - o.delta);
  let high = Math.min(bet.stable, 1 - o.delta);
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (slopeAt(middle, bet, o) < 0) low = middle;
    else high = middle;
  }
  const stable = (low + high) / 2;
  return { stable, candidate: stable + o.delta };
}

const BISECTIONS = 50;

function slopeAt(rate: number, bet: Rates, o: { readonly share: number; readonly delta: number }): number {
  const candidate = rate + o.delta;
  const ofStable = (rate - bet.stable) / (rate * (1 - rate));
  const ofCandidate = (candidate - bet.candidate) / (candidate * (1 - candidate));
  return (1 - o.share) * ofStable + o.share * ofCandidate;
}

function logLikelihood(seen: { readonly requests: number; readonly hits: number }, rate: number): number {
  return seen.hits * Math.log(rate) + (seen.requests - seen.hits) * Math.log1p(-rate);
}
