import type { Capital } from './types.ts';
import { closestNull, type Rates } from './not-worse.ts';
import { ODDS } from './worse.ts';

export interface Outlook {
  /** Rates that the coming traffic is taken to have. */
  readonly rates: Rates;
  /** Fraction of the requests that go to the candidate, above 0 and below 1. */
  readonly share: number;
}

/**
 * Requests to the candidate until a test reaches its limit, when each bet grows at its mean speed: the capital is then a
 * sum of exponentials. Infinity when it is not reached within FAR.
 */
export function requestsUntil(limit: number, capital: Capital, speeds: readonly number[]): number {
  const missing = limit - capital.log;
  const held = capital.held.map(Math.log);
  const isReached = (requests: number) =>
    logSum(held.map((log, bet) => log + (speeds[bet] ?? 0) * requests)) >= missing;
  if (!isReached(FAR)) return Number.POSITIVE_INFINITY;
  let [low, high] = [0, FAR];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isReached(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** An estimate beyond this says nothing but "not with this traffic". */
const FAR = 10_000_000;

function logSum(logs: readonly number[]): number {
  const highest = Math.max(...logs);
  return highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0));
}

/** Natural logarithm by which each bet of "worse" grows with each request to the candidate, on average. */
export function speedsOfWorse(outlook: Outlook, tolerance: number): readonly number[] {
  const { rates, share } = outlook;
  const hits = rates.candidate + (rates.stable * (1 - share)) / share;
  const atNull = 1 - share + share * tolerance;
  return ODDS.map(
    (odds) => rates.candidate * Math.log(odds) - hits * Math.log((1 - share + share * tolerance * odds) / atNull),
  );
}

/** The same for "not worse". */
export function speedsOfNotWorse(
  outlook: Outlook,
  o: { readonly delta: number; readonly bets: readonly Rates[] },
): readonly number[] {
  const { rates, share } = outlook;
  return o.bets.map((bet) => {
    const closest = closestNull(bet, { share, delta: o.delta });
    const stable = expectedGrowth(rates.stable, bet.stable, closest.stable);
    const candidate = expectedGrowth(rates.candidate, bet.candidate, closest.candidate);
    return candidate + (stable * (1 - share)) / share;
  });
}

function expectedGrowth(truth: number, bet: number, closest: number): number {
  return truth * Math.log(bet / closest) + (1 - truth) * (Math.log1p(-bet) - Math.log1p(-closest));
}
