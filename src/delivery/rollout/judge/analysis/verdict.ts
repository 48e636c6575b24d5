import { betsOfNotWorse, type Rates } from './not-worse.ts';
import { reasonOf } from './reason.ts';
import { requestsUntil, speedsOfNotWorse, speedsOfWorse } from './still-needed.ts';
import type {
  AnalysisSettings,
  AnalysisState,
  Metric,
  MetricState,
  MetricVerdict,
  Rate,
  Seen,
  Verdict,
  VerdictWord,
} from './types.ts';

/** What may be said at this look. `share`: basis points of the requests that go to the candidate from now on. */
export function verdictOf(state: AnalysisState, o: { readonly share: number }): Verdict {
  const share = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, o.share / 10_000));
  const metrics = state.metrics.map((metric) => verdictOfMetric(metric, { settings: state.settings, share }));
  return { verdict: together(metrics.map(({ verdict }) => verdict)), metrics };
}

/** Without both sides nothing is ever compared: an estimate needs a little of each. */
const LEAST_SHARE = 0.0001;
const MOST_SHARE = 0.9999;

interface Setting {
  readonly settings: AnalysisSettings;
  readonly share: number;
}

function together(verdicts: readonly VerdictWord[]): VerdictWord {
  if (verdicts.includes('fail')) return 'fail';
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === 'pass') ? 'pass' : 'insufficient';
}

function verdictOfMetric(state: MetricState, o: Setting): MetricVerdict {
  const limits = limitsOf(o.settings);
  const verdict = wordOf(state, o.settings);
  const stillNeeded = verdict === 'insufficient' ? stillNeededBy(state, o) : undefined;
  const said = {
    metric: state.metric,
    verdict,
    stable: rateOf(state.stable),
    candidate: rateOf(state.candidate),
    worse: state.worse.peak / Math.LN10,
    notWorse: state.notWorse.log / Math.LN10,
    thresholds: { worse: limits.worse / Math.LN10, notWorse: limits.notWorse / Math.LN10 },
    ...(stillNeeded === undefined ? {} : { stillNeeded }),
  };
  return { ...said, reason: reasonOf(said, o.settings) };
}

/** Natural logarithms. alpha is for the whole rollout, so its metrics share it; to pass, each must pass by itself. */
function limitsOf(settings: AnalysisSettings): { readonly worse: number; readonly notWorse: number } {
  return { worse: Math.log(settings.metrics.length / settings.alpha), notWorse: -Math.log(settings.beta) };
}

/** A failure stays one: Ville's inequality holds for the highest evidence ever seen. A pass must hold now. */
function wordOf(state: MetricState, settings: AnalysisSettings): VerdictWord {
  const limits = limitsOf(settings);
  if (state.worse.peak >= limits.worse) return 'fail';
  const enough = state.candidate.requests >= settings.minimumRequests;
  return enough && state.notWorse.log >= limits.notWorse ? 'pass' : 'insufficient';
}

/** Requests to the candidate until the nearer of the two verdicts, if the rates stay what they seem to be. */
function stillNeededBy(state: MetricState, { settings, share }: Setting): number | undefined {
  const { metric } = state;
  const outlook = { rates: likelyRates(state, settings.delta[metric]), share };
  const delta = settings.delta[metric];
  const limits = limitsOf(settings);
  const { designEffect } = settings;
  const slowed = (speeds: readonly number[], by: number) => speeds.map((speed) => speed / by);
  const worse = slowed(speedsOfWorse(outlook, settings.tolerance[metric]), designEffect.worse);
  const notWorse = slowed(speedsOfNotWorse(outlook, { delta, bets: betsOfNotWorse(delta) }), designEffect.notWorse);
  const toFail = requestsUntil(limits.worse, state.worse, worse);
  const toPass = requestsUntil(limits.notWorse, state.notWorse, notWorse);
  const missing = settings.minimumRequests - state.candidate.requests;
  const needed = Math.min(toFail, Math.max(toPass, missing, 1));
  return Number.isFinite(needed) ? roundUp(needed) : undefined;
}

/** Rates so far, drawn together: with few requests the candidate is taken to be like stable, and stable to be good. */
function likelyRates(state: MetricState, delta: number): Rates {
  const stable = drawn(state.stable, { towards: TYPICAL_RATE[state.metric], weight: 20 });
  const candidate = drawn(state.candidate, { towards: stable, weight: Math.min(200, 1 / delta) });
  return { stable, candidate };
}

/** What a system at rest has: 0.1 % errors; 5 % beyond p95 by definition, less the floor. */
const TYPICAL_RATE: Readonly<Record<Metric, number>> = { errors: 0.001, slow: 0.04 };

function drawn(seen: Seen, o: { readonly towards: number; readonly weight: number }): number {
  return (seen.hits + o.towards * o.weight) / (seen.requests + o.weight);
}

function rateOf(seen: Seen): Rate {
  return { ...seen, rate: seen.requests === 0 ? 0 : seen.hits / seen.requests };
}

/** Two digits are all that an estimate has. */
function roundUp(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.ceil(value / unit) * unit;
}
