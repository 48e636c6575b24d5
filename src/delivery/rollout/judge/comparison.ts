import type { LaneId, RequestSample, RouteId } from '../../traffic/index.ts';
import {
  addDurations,
  type AnalysisSettings,
  type AnalysisState,
  DEFAULT_ANALYSIS,
  mergeQuantiles,
  newAnalysis,
  NO_DURATIONS,
  observe,
  type Quantiles,
  type SideCounts,
  slowThresholdOf,
} from './analysis/index.ts';
import type { AnalysisPolicy } from '../../compose/index.ts';
import { type ClientMarks, countFirst, NO_MARKS } from './client-marks.ts';
import { hasLeft, isFailure } from './samples-tally.ts';
import type { AnalysedRoute } from '../plan/step.ts';

/** The concurrent traffic of both sides, route by route, as evidence. Plain JSON: it stands in the journal. */
export interface Comparison {
  readonly analysis: AnalysisState;
  readonly routes: Readonly<Record<RouteId, RouteEvidence>>;
  /** Clients whose first failure, and first slow request, have been counted, in the whole rollout. */
  readonly counted: Counted;
}

interface Counted {
  readonly failed: ClientMarks;
  readonly slow: ClientMarks;
}

/** What one route has seen since its last block was closed. Each block is a comparison of its own. */
export interface RouteEvidence {
  readonly stable: OpenSide;
  readonly candidate: OpenSide;
  /** Stays the same while a block is open: both sides are held against the same. */
  readonly thresholdMs?: number;
  /** How long the stable side took before this block. */
  readonly past: Quantiles;
}

export interface OpenSide extends Required<SideCounts> {
  readonly durations: Quantiles;
}

const NOTHING: OpenSide = {
  requests: 0,
  failed: 0,
  slow: 0,
  timed: 0,
  firstFailed: 0,
  firstSlow: 0,
  durations: NO_DURATIONS,
};

/** Undefined: the project declares that nothing is compared. */
export function settingsOf(policy: AnalysisPolicy): AnalysisSettings | undefined {
  if (!policy.enabled || policy.metrics.length === 0) return undefined;
  const { alpha, beta, metrics } = policy;
  return { ...DEFAULT_ANALYSIS, alpha, beta, metrics, delta: { errors: policy.errorMargin, slow: policy.slowMargin } };
}

export function newComparison(settings: AnalysisSettings): Comparison {
  return { analysis: newAnalysis(settings), routes: {}, counted: { failed: NO_MARKS, slow: NO_MARKS } };
}

/** What is known of the stable sides before: it gives the first threshold of slowness. */
export function withRoutes(
  comparison: Comparison,
  sides: readonly AnalysedRoute[],
  pastOf: (lane: LaneId) => Quantiles,
): Comparison {
  const fresh = sides
    .filter(({ route }) => comparison.routes[route] === undefined)
    .map(({ route, stable }) => [route, opened(pastOf(stable))] as const);
  return fresh.length === 0
    ? comparison
    : { ...comparison, routes: { ...comparison.routes, ...Object.fromEntries(fresh) } };
}

function opened(past: Quantiles): RouteEvidence {
  const thresholdMs = slowThresholdOf(past);
  return { stable: NOTHING, candidate: NOTHING, past, ...(thresholdMs === undefined ? {} : { thresholdMs }) };
}

/** Adds finished requests. Only those that the weight alone gave to a side are a fair comparison. */
export function addRequests(
  comparison: Comparison,
  sides: readonly AnalysedRoute[],
  samples: readonly RequestSample[],
): Comparison {
  const fair = samples.filter(({ chosenBy }) => chosenBy === 'weight');
  if (fair.length === 0) return comparison;
  const routes = { ...comparison.routes };
  let { counted } = comparison;
  for (const side of sides) {
    const own = fair.filter(({ route }) => route === side.route);
    if (own.length === 0) continue;
    const evidence = routes[side.route] ?? opened(NO_DURATIONS);
    for (const name of ['stable', 'candidate'] as const) {
      const group = own.filter(({ lane }) => lane === side[name]);
      const added = addToSide(evidence[name], group, { counted, thresholdMs: evidence.thresholdMs });
      counted = added.counted;
      routes[side.route] = { ...(routes[side.route] ?? evidence), [name]: added.open };
    }
  }
  return { ...comparison, routes, counted };
}

function addToSide(
  open: OpenSide,
  samples: readonly RequestSample[],
  { counted, thresholdMs }: { readonly counted: Counted; readonly thresholdMs: number | undefined },
): { readonly open: OpenSide; readonly counted: Counted } {
  const answered = samples.filter((sample) => !hasLeft(sample));
  const timed =
    thresholdMs === undefined ? [] : samples.map((sample) => ({ sample, slow: isSlow(sample, thresholdMs) }));
  const hits = {
    failed: answered.filter(isFailure),
    slow: timed.flatMap(({ sample, slow }) => (slow === true ? [sample] : [])),
  };
  const failed = countFirst(counted.failed, hits.failed);
  const slow = countFirst(counted.slow, hits.slow);
  const now = {
    requests: open.requests + answered.length,
    failed: open.failed + hits.failed.length,
    firstFailed: open.firstFailed + failed.first,
    slow: open.slow + hits.slow.length,
    firstSlow: open.firstSlow + slow.first,
    timed: open.timed + timed.filter((each) => each.slow !== undefined).length,
    durations: addDurations(
      open.durations,
      samples.flatMap(({ responseMs }) => (responseMs < 0 ? [] : [responseMs])),
    ),
  };
  return { open: now, counted: { failed: failed.marks, slow: slow.marks } };
}

/**
 * Undefined: it cannot be said. A client that left had waited at least so long: longer than the threshold is slow,
 * and of anything less nothing is known.
 */
function isSlow(sample: RequestSample, thresholdMs: number): boolean | undefined {
  if (sample.responseMs >= 0) return sample.responseMs > thresholdMs;
  return hasLeft(sample) && sample.totalMs > thresholdMs ? true : undefined;
}

/**
 * Closes the blocks in which both sides have answered. When a block is closed must not depend on what was answered,
 * only on time. `all`: the weight changes now, so that what has only one side is dropped.
 */
export function closeBlocks(comparison: Comparison, o: { readonly all: boolean }): Comparison {
  let { analysis } = comparison;
  const routes: Record<RouteId, RouteEvidence> = {};
  for (const [route, evidence] of Object.entries(comparison.routes)) {
    const isWhole = evidence.stable.requests > 0 && evidence.candidate.requests > 0;
    if (isWhole)
      analysis = observe(analysis, { stable: countsOf(evidence.stable), candidate: countsOf(evidence.candidate) });
    routes[route] = isWhole || o.all ? nextBlock(evidence) : evidence;
  }
  return { ...comparison, analysis, routes };
}

function nextBlock({ past, stable }: RouteEvidence): RouteEvidence {
  return opened(mergeQuantiles(past, stable.durations));
}

function countsOf({ durations, ...counts }: OpenSide): Required<SideCounts> {
  void durations;
  return counts;
}
