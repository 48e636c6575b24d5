import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { betsOfNotWorse, growthOfNotWorse } from './not-worse.ts';
import { growthOfWorse, type Pair } from './worse.ts';

/** Rounding only: the expectations below are enumerated, not simulated. */
const ROUNDING = 1e-9;
const rate = fc.double({ min: 0, max: 1, noNaN: true });

describe('a bet on "worse"', () => {
  it('gains nothing on average while the candidate is hit at most `tolerance` times as often, one rate a request', () => {
    const people = fc.record({
      stable: fc.array(rate, { minLength: 1, maxLength: 5 }),
      candidate: fc.array(rate, { minLength: 1, maxLength: 5 }),
      tolerance: fc.double({ min: 1, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(people, ({ stable, candidate, tolerance }) => {
        const allowed = scaledToMean(candidate, tolerance * mean(stable));
        const expected = expectation({ stable, candidate: allowed }, (pair) => growthOfWorse(pair, tolerance));
        for (const value of expected) assert.ok(value <= 1 + ROUNDING, `${value}`);
      }),
    );
  });

  it('gains nothing when requests hang together in groups no larger than the design effect', () => {
    const groups = fc.record({
      rates: fc.array(rate, { minLength: 2, maxLength: 6 }),
      size: fc.integer({ min: 1, max: 4 }),
      slack: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(groups, ({ rates, size, slack }) => {
        const half = Math.ceil(rates.length / 2);
        const stable = rates.slice(0, half);
        const candidate = scaledToMean(rates.slice(half), mean(stable));
        const expected = expectation({ stable, candidate }, (pair) =>
          growthOfWorse(repeated(pair, size), 1).map((growth) => growth / (size + slack)),
        );
        for (const value of expected) assert.ok(value <= 1 + ROUNDING, `${value}`);
      }),
    );
  });

  it('grows with each hit of the candidate and shrinks with each hit of stable', () => {
    const [fewer, more] = [pairOf([20, 1], [10, 2]), pairOf([20, 1], [10, 3])];
    const other = pairOf([20, 2], [10, 2]);
    growthOfWorse(more, 1).forEach((growth, bet) => {
      if (bet === 0) return;
      assert.ok(growth > at(growthOfWorse(fewer, 1), bet));
      assert.ok(at(growthOfWorse(other, 1), bet) < at(growthOfWorse(fewer, 1), bet));
    });
  });
});

describe('a bet on "not worse"', () => {
  it('gains nothing on average while the candidate is worse by the margin or more, one rate a request', () => {
    const people = fc.record({
      stable: fc.array(rate, { minLength: 1, maxLength: 5 }),
      candidate: fc.array(rate, { minLength: 1, maxLength: 5 }),
      delta: fc.double({ min: 0.001, max: 0.6, noNaN: true }),
    });
    fc.assert(
      fc.property(people, ({ stable, candidate, delta }) => {
        const bets = betsOfNotWorse(delta);
        const low = scaledToMean(stable, 1 - delta);
        const bad = raisedToMean(candidate, mean(low) + delta);
        const expected = expectation({ stable: low, candidate: bad }, (pair) =>
          growthOfNotWorse(pair, { delta, bets }),
        );
        for (const value of expected) assert.ok(value <= 1 + ROUNDING, `${value} at ${delta}`);
      }),
    );
  });

  it('has bets whose rates are rates', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-5, max: 0.9, noNaN: true }), (delta) => {
        const isRate = (value: number) => value > 0 && value < 1;
        for (const { stable, candidate } of betsOfNotWorse(delta)) assert.ok(isRate(stable) && isRate(candidate));
      }),
    );
  });

  it('shrinks with each hit of the candidate', () => {
    const o = { delta: 0.05, bets: betsOfNotWorse(0.05) };
    const [fewer, more] = [pairOf([20, 1], [10, 0]), pairOf([20, 1], [10, 1])];
    growthOfNotWorse(more, o).forEach((growth, bet) => assert.ok(growth < at(growthOfNotWorse(fewer, o), bet)));
  });
});

interface People {
  readonly stable: readonly number[];
  readonly candidate: readonly number[];
}

/** Expected factor of each bet over all outcomes of requests that are independent, each with a rate of its own. */
function expectation(people: People, growthOf: (pair: Pair) => readonly number[]): readonly number[] {
  const [stable, candidate] = [hitDistribution(people.stable), hitDistribution(people.candidate)];
  const sums: number[] = [];
  stable.forEach((ofStable, stableHits) =>
    candidate.forEach((ofCandidate, candidateHits) => {
      if (ofStable * ofCandidate === 0) return;
      const pair = pairOf([people.stable.length, stableHits], [people.candidate.length, candidateHits]);
      growthOf(pair).forEach((growth, bet) => {
        sums[bet] = (sums[bet] ?? 0) + ofStable * ofCandidate * Math.exp(growth);
      });
    }),
  );
  return sums;
}

function hitDistribution(rates: readonly number[]): readonly number[] {
  return rates.reduce<readonly number[]>(
    (before, rate) => [...before, 0].map((chance, hits) => chance * (1 - rate) + (before[hits - 1] ?? 0) * rate),
    [1],
  );
}

/** Rates that are lowered, where their mean is above `most`, until it is that. */
function scaledToMean(rates: readonly number[], most: number): readonly number[] {
  const factor = Math.min(1, most / mean(rates));
  return mean(rates) === 0 ? rates : rates.map((each) => each * factor);
}

function raisedToMean(rates: readonly number[], least: number): readonly number[] {
  return scaledToMean(
    rates.map((each) => 1 - each),
    1 - least,
  ).map((each) => 1 - each);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function repeated(pair: Pair, times: number): Pair {
  const { stable, candidate } = pair;
  return pairOf([stable.requests * times, stable.hits * times], [candidate.requests * times, candidate.hits * times]);
}

function pairOf(stable: readonly [number, number], candidate: readonly [number, number]): Pair {
  return {
    stable: { requests: stable[0], hits: stable[1] },
    candidate: { requests: candidate[0], hits: candidate[1] },
  };
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  assert.ok(value !== undefined);
  return value;
}
