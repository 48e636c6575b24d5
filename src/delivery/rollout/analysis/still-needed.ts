import { closestNull, type Rates } from './not-worse.ts';
import { ODDS } from './worse.ts';

export interface Outlook {
  /** Rates that the coming traffic is taken to have. */
  readonly rates: Rates;
  /** Fraction of the requests that go to the candidate, above 0 and below 1. */
  readonly share: number;
}

/** Natural logarithm by which the best bet of "worse" grows with each request to the candidate; 0 when none does. */
export function speedOfWorse(outlook: Outlook, tolerance: number): number {
  const { rates, share } = outlook;
  const hits = rates.candidate + (rates.stable * (1 - share)) / share;
  const atNull = 1 - share + share * tolerance;
  const speeds = ODDS.map(
    (odds) => rates.candidate * Math.log(odds) - hits * Math.log((1 - share + share * tolerance * odds) / atNull),
  );
  return Math.max(0, ...speeds);
}

/** The same for "not worse". */
export function speedOfNotWorse(
  outlook: Outlook,
  o: { readonly delta: number; readonly bets: readonly Rates[] },
): number {
  const { rates, share } = outlook;
  const speeds = o.bets.map((bet) => {
    const closest = closestNull(bet, { share, delta: o.delta });
    const stable = expectedGrowth(rates.stable, bet.stable, closest.stable);
    const candidate = expectedGrowth(rates.candidate, bet.candidate, closest.candidate);
    return candidate + (stable * (1 - share)) / share;
  });
  return Math.max(0, ...speeds);
}

function expectedGrowth(truth: number, bet: number, closest: number): number {
  return truth * Math.log(bet / closest) + (1 - truth) * (Math.log1p(-bet) - Math.log1p(-closest));
}
