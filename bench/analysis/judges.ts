import {
  type AnalysisSettings,
  DEFAULT_ANALYSIS,
  newAnalysis,
  observe,
  type SideCounts,
} from '../../src/delivery/rollout/judge/analysis/index.ts';
import { mannWhitneyLower } from './mann-whitney.ts';
import { type Counts, type Look, REQUESTS_A_MINUTE } from './traffic.ts';

/** Sees every look of one rollout; says when it would have stopped it, or let it pass. */
export type Judge = (look: Look) => 'fail' | 'pass' | undefined;

function bothBy(effect: number): AnalysisSettings['designEffect'] {
  return { worse: effect, notWorse: effect };
}

/** One metric and requests that are all independent: alpha is used up to the last. */
const EAGER: AnalysisSettings = { ...DEFAULT_ANALYSIS, metrics: ['errors'], designEffect: bothBy(1) };

/** Bascule's verdict on errors; `until` says which one ends the run. */
function bascule(until: 'fail' | 'pass', settings: AnalysisSettings): Judge {
  // Evidence for "worse" does not depend on the margin; a wide one has fewer bets, which saves half of the time.
  const cheap = until === 'fail' ? { ...settings, delta: { errors: 0.9, slow: 0.9 } } : settings;
  let state = newAnalysis({ ...cheap, metrics: ['errors'] });
  const limits = { fail: Math.log(settings.metrics.length / settings.alpha), pass: -Math.log(settings.beta) };
  return ({ stable, candidate, once }) => {
    state = observe(state, { stable: sideOf(stable, once?.stable), candidate: sideOf(candidate, once?.candidate) });
    // What verdictOf says, without its estimates: they cost more than all the rest.
    const [errors] = state.metrics;
    if (errors === undefined) return undefined;
    if (until === 'fail') return errors.worse.peak >= limits.fail ? 'fail' : undefined;
    const isEnough = errors.candidate.requests >= settings.minimumRequests;
    return isEnough && errors.notWorse.log >= limits.pass ? 'pass' : undefined;
  };
}

/** As the product, but with every failure of a user counted. */
function everyHit(effect: number): Judge {
  const judge = bascule('fail', { ...DEFAULT_ANALYSIS, designEffect: bothBy(effect) });
  return ({ once: _, ...look }) => judge(look);
}

/** Evidence for "worse" at each look, as a decimal logarithm. */
export function evidenceOf(): (look: Look) => number {
  let state = newAnalysis({ ...DEFAULT_ANALYSIS, metrics: ['errors'] });
  return ({ stable, candidate }) => {
    state = observe(state, { stable: sideOf(stable), candidate: sideOf(candidate) });
    return (state.metrics[0]?.worse.log ?? 0) / Math.LN10;
  };
}

function sideOf({ requests, hits }: Counts, once?: Counts): SideCounts {
  return { requests, failed: hits, slow: 0, ...(once === undefined ? {} : { firstFailed: once.hits }) };
}

/** Turner, Ly and Grünwald as published: rates are estimated from past blocks with a Beta(0.18, 0.18) prior. */
function turner(): Judge {
  const seen = { stable: { requests: 0, hits: 0 }, candidate: { requests: 0, hits: 0 } };
  let log = 0;
  return ({ stable, candidate }) => {
    const [a, b] = [estimate(seen.stable), estimate(seen.candidate)];
    const requests = stable.requests + candidate.requests;
    if (b > a) {
      const pooled = (stable.requests * a + candidate.requests * b) / requests;
      log += logRatio(stable, a, pooled) + logRatio(candidate, b, pooled);
    }
    add(seen.stable, stable);
    add(seen.candidate, candidate);
    return log >= Math.log(100) ? 'fail' : undefined;
  };
}

function estimate({ requests, hits }: Counts): number {
  return (hits + 0.18) / (requests + 0.36);
}

function logRatio({ requests, hits }: Counts, bet: number, pooled: number): number {
  return hits * Math.log(bet / pooled) + (requests - hits) * (Math.log1p(-bet) - Math.log1p(-pooled));
}

/** What a spreadsheet would do: a one-sided z test at 1 %, looked at again and again. */
function peeking(): Judge {
  const seen = { stable: { requests: 0, hits: 0 }, candidate: { requests: 0, hits: 0 } };
  return ({ stable, candidate }) => {
    add(seen.stable, stable);
    add(seen.candidate, candidate);
    const [a, b] = [seen.stable, seen.candidate];
    const pooled = (a.hits + b.hits) / (a.requests + b.requests);
    const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / a.requests + 1 / b.requests));
    return (b.hits / b.requests - a.hits / a.requests) / deviation > 2.326 ? 'fail' : undefined;
  };
}

function add(sum: { requests: number; hits: number }, counts: Counts): void {
  sum.requests += counts.requests;
  sum.hits += counts.hits;
}

/** Flagger and Argo Rollouts: the candidate's own success rate of each window; so many bad windows end it. */
function threshold(o: { minutes: number; successRate: number; badWindows: number }): Judge {
  let bad = 0;
  return windows(o.minutes, ({ candidate }) => {
    if (candidate.requests > 0 && 1 - candidate.hits / candidate.requests < o.successRate) bad++;
    return bad >= o.badWindows ? 'fail' : undefined;
  });
}

/** Kayenta: Mann-Whitney at 98 % on the error rates of the minutes so far, judged every `minutes`. */
function kayenta(o: { minutes: number }): Judge {
  const rates = { baseline: [] as number[], candidate: [] as number[] };
  let minute = 0;
  return windows(1, ({ baseline, candidate }) => {
    minute++;
    if (candidate.requests === 0) return undefined;
    rates.baseline.push(baseline.hits / baseline.requests);
    rates.candidate.push(candidate.hits / candidate.requests);
    if (minute % o.minutes !== 0) return undefined;
    const { lower, estimate } = mannWhitneyLower(rates.candidate, rates.baseline);
    return lower > 0.25 * Math.abs(estimate) ? 'fail' : undefined;
  });
}

interface Window {
  readonly candidate: { requests: number; hits: number };
  readonly baseline: { requests: number; hits: number };
}

function windows(minutes: number, judge: (window: Window) => 'fail' | undefined): Judge {
  const empty = () => ({ candidate: { requests: 0, hits: 0 }, baseline: { requests: 0, hits: 0 } });
  let window = empty();
  let end = minutes * REQUESTS_A_MINUTE;
  return ({ total, candidate, baseline }) => {
    add(window.candidate, candidate);
    add(window.baseline, baseline);
    if (total < end) return undefined;
    const verdict = judge(window);
    window = empty();
    end += minutes * REQUESTS_A_MINUTE;
    return verdict;
  };
}

/** Settings of the peers are those of their documentation (docs/analysis.md). */
export const JUDGES: Readonly<Record<string, () => Judge>> = {
  bascule: () => bascule('fail', DEFAULT_ANALYSIS),
  eager: () => bascule('fail', EAGER),
  pass: () => bascule('pass', DEFAULT_ANALYSIS),
  eagerPass: () => bascule('pass', EAGER),
  once: () => bascule('fail', { ...DEFAULT_ANALYSIS, designEffect: bothBy(1) }),
  design1: () => everyHit(1),
  design2: () => everyHit(2),
  design5: () => everyHit(5),
  design10: () => everyHit(10),
  turner,
  peeking,
  flagger: () => threshold({ minutes: 1, successRate: 0.99, badWindows: 10 }),
  argo: () => threshold({ minutes: 5, successRate: 0.95, badWindows: 4 }),
  argoStrict: () => threshold({ minutes: 1, successRate: 0.99, badWindows: 1 }),
  kayenta: () => kayenta({ minutes: 60 }),
  kayentaOften: () => kayenta({ minutes: 10 }),
};
