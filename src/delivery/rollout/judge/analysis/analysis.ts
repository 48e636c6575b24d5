import { newCapital, settle } from './capital.ts';
import { betsOfNotWorse, growthOfNotWorse } from './not-worse.ts';
import type {
  AnalysisSettings,
  AnalysisState,
  Block,
  Metric,
  MetricState,
  OpenSeen,
  Seen,
  SideCounts,
} from './types.ts';
import { growthOfWorse, ODDS } from './worse.ts';

/** Nothing seen yet. */
export function newAnalysis(settings: AnalysisSettings): AnalysisState {
  return { settings, metrics: settings.metrics.map((metric) => newMetric(metric, settings)) };
}

/** What both sides answered since the last look. Pure. The weight must have been the same all along the block. */
export function observe(state: AnalysisState, block: Block): AnalysisState {
  return { ...state, metrics: state.metrics.map((metric) => observeMetric(metric, block, state.settings)) };
}

function newMetric(metric: Metric, settings: AnalysisSettings): MetricState {
  return {
    metric,
    stable: NOTHING,
    candidate: NOTHING,
    open: NO_PAIR,
    worse: newCapital(ODDS.length),
    notWorse: newCapital(betsOfNotWorse(settings.delta[metric]).length),
  };
}

const NOTHING: Seen = { requests: 0, hits: 0 };
const NONE_OPEN: OpenSeen = { ...NOTHING, first: 0 };
const NO_PAIR: MetricState['open'] = { stable: NONE_OPEN, candidate: NONE_OPEN };

function observeMetric(state: MetricState, block: Block, settings: AnalysisSettings): MetricState {
  const stable = seenOf(state.metric, block.stable);
  const candidate = seenOf(state.metric, block.candidate);
  const pair = { stable: sumOpen(state.open.stable, stable), candidate: sumOpen(state.open.candidate, candidate) };
  const seen = { ...state, stable: sum(state.stable, stable), candidate: sum(state.candidate, candidate) };
  if (isCold(state, settings, candidate.requests)) return seen;
  const isWhole = pair.stable.requests > 0 && pair.candidate.requests > 0;
  return isWhole ? bet(seen, pair, settings) : { ...seen, open: pair };
}

/** Decided by requests alone, not by how long they took. In a block of very many the first ones make no difference. */
function isCold({ metric, candidate }: MetricState, settings: AnalysisSettings, requests: number): boolean {
  const isFirst = candidate.requests < settings.minimumRequests;
  return metric === 'slow' && isFirst && requests < settings.minimumRequests * WARM_BLOCK;
}

/** A block with so many times the requests that warm the caches is compared for slowness although it holds them. */
const WARM_BLOCK = 100;

/** A look with one side only compares nothing; it is kept until the other side has answered. */
function bet(state: MetricState, pair: MetricState['open'], settings: AnalysisSettings): MetricState {
  const delta = settings.delta[state.metric];
  const { designEffect } = settings;
  const dependent = (growth: readonly number[], by: number) => growth.map((each) => each / by);
  const once = { stable: firstOf(pair.stable), candidate: firstOf(pair.candidate) };
  const hits = pair.stable.hits + pair.candidate.hits;
  const worse = growthOfWorse(once, settings.tolerance[state.metric]);
  const notWorse = growthOfNotWorse(pair, { delta, bets: betsOfNotWorse(delta) });
  return {
    ...state,
    open: NO_PAIR,
    worse: settle(state.worse, {
      growth: dependent(worse, designEffect.worse),
      hits: once.stable.hits + once.candidate.hits,
    }),
    notWorse: settle(state.notWorse, { growth: dependent(notWorse, designEffect.notWorse), hits }),
  };
}

function seenOf(metric: Metric, side: SideCounts): OpenSeen {
  const isErrors = metric === 'errors';
  const requests = isErrors ? side.requests : (side.timed ?? side.requests);
  const hits = Math.min(isErrors ? side.failed : side.slow, requests);
  return { requests, hits, first: Math.min((isErrors ? side.firstFailed : side.firstSlow) ?? hits, hits) };
}

/** All requests, and of the hits the first of each client. */
function firstOf({ requests, first }: OpenSeen): Seen {
  return { requests, hits: first };
}

function sumOpen(a: OpenSeen, b: OpenSeen): OpenSeen {
  return { ...sum(a, b), first: a.first + b.first };
}

function sum(a: Seen, b: Seen): Seen {
  return { requests: a.requests + b.requests, hits: a.hits + b.hits };
}
