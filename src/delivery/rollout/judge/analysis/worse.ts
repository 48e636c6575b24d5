import type { Seen } from './types.ts';

/** Counts of both sides for one metric. */
export interface Pair {
  readonly stable: Seen;
  readonly candidate: Seen;
}

/** How many times as often as tolerated each bet takes the candidate to be hit; 1 keeps its capital out of the game. */
export const ODDS: readonly number[] = [1, 1.25, 1.6, 2.2, 3.5, 7, 20, 100, 1_000];

/**
 * Growth of each bet of "worse" in one block: ln of ODDS^candidateHits / (mean of it per hit under the null).
 * An e-variable for "the candidate's mean rate in this block is at most `tolerance` times stable's", whatever that
 * rate is (docs/analysis.md, "Worse").
 */
export function growthOfWorse(block: Pair, tolerance: number): readonly number[] {
  const share = block.candidate.requests / (block.candidate.requests + block.stable.requests);
  const hits = block.candidate.hits + block.stable.hits;
  const atNull = 1 - share + share * tolerance;
  return ODDS.map((odds) => {
    const atBet = 1 - share + share * tolerance * odds;
    return block.candidate.hits * Math.log(odds) - hits * Math.log(atBet / atNull);
  });
}
