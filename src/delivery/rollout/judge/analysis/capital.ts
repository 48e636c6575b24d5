import type { Capital } from './types.ts';

/**
 * A test by betting: one unit of capital is spread over bets, each of which is fair or worse when the null hypothesis
 * holds. The capital is the e-value. Between blocks a little of it is moved from every bet to all of them ("fixed
 * share", Herbster and Warmuth 1998): it changes nothing about the sum, so nothing about validity, and lets the test
 * notice a candidate that turns bad late, or a base rate that drifts.
 */
export function newCapital(bets: number): Capital {
  return { held: Array.from({ length: bets }, () => 1 / bets), log: 0, peak: 0, hits: 0 };
}

/** `growth`: natural logarithm of each bet's factor in this block, in the order of the bets. */
export function settle(
  capital: Capital,
  block: { readonly growth: readonly number[]; readonly hits: number },
): Capital {
  const best = Math.max(...block.growth.filter((_, bet) => (capital.held[bet] ?? 0) > 0));
  const grown = capital.held.map((held, bet) => (held > 0 ? held * Math.exp((block.growth[bet] ?? 0) - best) : 0));
  const sum = grown.reduce((total, each) => total + each, 0);
  const moved = movedShare(capital.hits, block.hits);
  const log = capital.log + best + Math.log(sum);
  return {
    held: grown.map((each) => (each / sum) * (1 - moved) + moved / grown.length),
    log,
    peak: Math.max(capital.peak, log),
    hits: capital.hits + block.hits,
  };
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
