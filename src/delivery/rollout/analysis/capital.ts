import type { Capital } from './types.ts';

/**
 * A test by betting: one unit of capital is spread over bets, each of which is fair or worse when the null hypothesis
 * holds. The capital is the e-value. Between blocks a little of it is moved from every bet to all of them ("fixed
 * share", Herbster and Warmuth 1998): it changes nothing about the sum, so nothing about validity, and lets the test
 * notice a candidate that turns bad late, or a base rate that drifts.
 */
export function newCapital(bets: number): Capital {
  return { bets: Array.from({ length: bets }, () => -Math.log(bets)), seen: 0, peak: 0 };
}

/** `growth`: natural logarithm of each bet's factor in this block, in the order of the bets. */
export function settle(
  capital: Capital,
  block: { readonly growth: readonly number[]; readonly hits: number },
): Capital {
  const grown = capital.bets.map((bet, index) => bet + (block.growth[index] ?? 0));
  const total = logSum(grown);
  return {
    bets: shareOut(grown, { total, moved: movedShare(capital.seen, block.hits) }),
    seen: capital.seen + block.hits,
    peak: Math.max(capital.peak, total),
  };
}

/** Natural logarithm of the whole capital. */
export function evidenceOf(capital: Capital): number {
  return logSum(capital.bets);
}

/**
 * Fraction of every bet that is moved after a block: about SPEED / hits so far, so that the cost of moving stays
 * polynomial and blocks may be cut as one likes.
 */
function movedShare(seen: number, hits: number): number {
  return 1 - ((seen + SETTLING) / (seen + hits + SETTLING)) ** SPEED;
}

/** Bets start to be moved after about so many hits. */
const SETTLING = 10;
const SPEED = 0.25;

function shareOut(bets: readonly number[], o: { readonly total: number; readonly moved: number }): readonly number[] {
  if (o.moved === 0) return bets;
  const kept = Math.log1p(-o.moved);
  const given = o.total + Math.log(o.moved / bets.length);
  return bets.map((bet) => logSum([bet + kept, given]));
}

function logSum(logs: readonly number[]): number {
  const highest = Math.max(...logs);
  if (highest === Number.NEGATIVE_INFINITY) return highest;
  return highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0));
}
