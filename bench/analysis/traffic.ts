import { binomial, type Random } from './random.ts';

/** Error rate over the requests of a rollout (0..1 of its horizon). */
export type Curve =
  | { readonly kind: 'constant'; readonly rate: number }
  /** Swings by waves between two rates, and triples for a tenth of the time: an incident that hits both sides. */
  | { readonly kind: 'drifting'; readonly low: number; readonly high: number }
  | { readonly kind: 'late'; readonly before: number; readonly after: number; readonly from: number };

export interface Scenario {
  readonly stable: Curve;
  readonly candidate: Curve;
  /** Fraction of the requests that goes to the candidate. */
  readonly share: number;
  /** Requests of both sides in the whole rollout. */
  readonly requests: number;
  /** Requests come from users that stay on their side; without this every request is a user of its own. */
  readonly users?: Users;
}

export interface Users {
  /** Requests of one user, one after the other (`session`), or spread over the whole rollout (`regular`). */
  readonly kind: 'session' | 'regular';
  readonly requestsEach: number;
  /** Fraction of the users for whom half of the requests fail, whichever side they are on. */
  readonly unlucky: number;
}

export interface Look {
  /** Requests of both sides since the start, this look included. */
  readonly total: number;
  readonly stable: Counts;
  readonly candidate: Counts;
  /** The same requests, of each user only the first failure counted. */
  readonly once?: { readonly stable: Counts; readonly candidate: Counts };
  /** A second stable set as large as the candidate, which Kayenta's authors ask for. */
  readonly baseline: Counts;
}

export interface Counts {
  readonly requests: number;
  readonly hits: number;
}

/** 20 requests a second: a minute of traffic, for the peers that look at a clock. */
export const REQUESTS_A_MINUTE = 1_200;

/** Looks every 10 requests at first, every 200 (10 seconds) later, give or take half. */
export function* looksOf(scenario: Scenario, random: Random): Generator<Look> {
  const countUsers = scenario.users === undefined ? undefined : userCounter(scenario, scenario.users, random);
  let total = 0;
  while (total < scenario.requests) {
    const usual = Math.min(200, Math.max(10, total / 20));
    const size = Math.max(1, Math.round(usual * (0.5 + random())));
    const at = total / scenario.requests;
    if (countUsers !== undefined) {
      total += size;
      yield { total, ...countUsers(size) };
      continue;
    }
    const [bad, good] = [rateAt(scenario.candidate, at), rateAt(scenario.stable, at)];
    const toCandidate = binomial(random, size, scenario.share);
    total += size;
    yield {
      total,
      stable: countsOf(random, size - toCandidate, good),
      candidate: countsOf(random, toCandidate, bad),
      baseline: countsOf(random, toCandidate, good),
    };
  }
}

/** Requests one by one: who sends it, on which side that user is, and whether it fails. */
function userCounter(scenario: Scenario, users: Users, random: Random): (size: number) => Omit<Look, 'total'> {
  const rate = rateAt(scenario.stable, 0);
  const newUser = () => ({
    candidate: random() < scenario.share,
    rate: random() < users.unlucky ? 0.5 : rate,
    failed: false,
  });
  const crowd = Array.from({ length: users.kind === 'session' ? 20 : scenario.requests / users.requestsEach }, newUser);
  return (size) => {
    const all = noCounts();
    const once = noCounts();
    for (let request = 0; request < size; request++) {
      const who = Math.floor(random() * crowd.length);
      if (users.kind === 'session' && random() * users.requestsEach < 1) crowd[who] = newUser();
      const user = crowd[who] ?? newUser();
      const side = user.candidate ? 'candidate' : 'stable';
      const failed = random() < user.rate;
      count(all[side], failed);
      count(once[side], failed && !user.failed);
      user.failed ||= failed;
    }
    return { ...all, once, baseline: all.stable };
  };
}

function noCounts(): Record<'stable' | 'candidate', { requests: number; hits: number }> {
  return { stable: { requests: 0, hits: 0 }, candidate: { requests: 0, hits: 0 } };
}

function count(counts: { requests: number; hits: number }, isHit: boolean): void {
  counts.requests++;
  if (isHit) counts.hits++;
}

function countsOf(random: Random, requests: number, rate: number): Counts {
  return { requests, hits: binomial(random, requests, rate) };
}

function rateAt(curve: Curve, at: number): number {
  switch (curve.kind) {
    case 'constant':
      return curve.rate;
    case 'late':
      return at < curve.from ? curve.before : curve.after;
    case 'drifting': {
      const wave = curve.low * (curve.high / curve.low) ** ((1 - Math.cos(at * 6 * Math.PI)) / 2);
      return Math.min(1, at > 0.5 && at < 0.6 ? wave * 3 : wave);
    }
  }
}
