import type { LaneId, RequestSample } from '../../traffic/index.ts';
import { addDurations, mergeQuantiles, NO_DURATIONS, type Quantiles } from '../judge/analysis/index.ts';
import { hasLeft } from '../judge/samples-tally.ts';
import type { LaneSide } from '../judge/samples.ts';

/** What a rollout saw over time, in steps of one second or more. Bounded: the longer it takes, the coarser. */
export interface Series {
  readonly stepMs: number;
  /** Ascending; steps in which nothing happened are not there. */
  readonly points: readonly SeriesPoint[];
}

export interface SeriesPoint {
  /** Where the step begins, in milliseconds since 1970: a multiple of `stepMs`. */
  readonly atMs: number;
  readonly sides: Readonly<Partial<Record<LaneSide, SeriesSide>>>;
  /** Basis points that the candidate had at the end of the step, while a stage compared both sides. */
  readonly weight?: number;
  /** Decimal logarithms of the e-values at the end of the step. */
  readonly evidence?: readonly EvidencePoint[];
}

export interface SeriesSide {
  readonly requests: number;
  readonly left: number;
  readonly appErrors: number;
  readonly lost: number;
  readonly responses: Quantiles;
}

export interface EvidencePoint {
  readonly metric: string;
  readonly worse: number;
  readonly notWorse: number;
}

export const MOST_POINTS = 600;
export const NO_SERIES: Series = { stepMs: 1_000, points: [] };
const NOTHING: SeriesSide = { requests: 0, left: 0, appErrors: 0, lost: 0, responses: NO_DURATIONS };

/** Adds finished requests; those of lanes that take no part, and of the built-in probes, are left out. */
export function addToSeries(
  series: Series,
  sideOf: (lane: LaneId) => LaneSide | undefined,
  samples: readonly RequestSample[],
): Series {
  const points = new Map(series.points.map((point) => [point.atMs, point]));
  const clients = samples.filter(({ chosenBy }) => chosenBy !== 'probe');
  for (const [atMs, own] of Map.groupBy(clients, (sample) => stepOf(series, sample.atMs))) {
    const sides = { ...points.get(atMs)?.sides };
    for (const [side, group] of Map.groupBy(own, ({ lane }) => sideOf(lane)))
      if (side !== undefined) sides[side] = added(sides[side] ?? NOTHING, group);
    points.set(atMs, { ...points.get(atMs), atMs, sides });
  }
  return bounded({ ...series, points: ascending(points) });
}

/** What the analysis said, and the weight at hand: the last word of a step stays. */
export function noteInSeries(series: Series, nowMs: number, note: Pick<SeriesPoint, 'weight' | 'evidence'>): Series {
  const points = new Map(series.points.map((point) => [point.atMs, point]));
  const atMs = stepOf(series, nowMs);
  points.set(atMs, { ...(points.get(atMs) ?? { atMs, sides: {} }), ...note });
  return bounded({ ...series, points: ascending(points) });
}

function stepOf({ stepMs }: Series, atMs: number): number {
  return Math.floor(atMs / stepMs) * stepMs;
}

function added(side: SeriesSide, samples: readonly RequestSample[]): SeriesSide {
  const count = (is: (sample: RequestSample) => boolean): number => samples.filter(is).length;
  return {
    requests: side.requests + samples.length,
    left: side.left + count(hasLeft),
    appErrors: side.appErrors + count(({ loss, appError }) => loss === undefined && appError),
    lost: side.lost + count(({ loss }) => loss !== undefined),
    responses: addDurations(
      side.responses,
      samples.flatMap(({ responseMs }) => (responseMs < 0 ? [] : [responseMs])),
    ),
  };
}

function ascending(points: ReadonlyMap<number, SeriesPoint>): readonly SeriesPoint[] {
  return [...points.values()].sort((a, b) => a.atMs - b.atMs);
}

/** Twice as coarse until it is small enough. */
function bounded(series: Series): Series {
  if (series.points.length <= MOST_POINTS) return series;
  const coarser: Series = { stepMs: series.stepMs * 2, points: [] };
  const groups = Map.groupBy(series.points, ({ atMs }) => stepOf(coarser, atMs));
  return bounded({
    ...coarser,
    points: [...groups].map(([atMs, points]) => points.reduce(merged, { atMs, sides: {} })),
  });
}

function merged(a: SeriesPoint, b: SeriesPoint): SeriesPoint {
  const names = new Set([...Object.keys(a.sides), ...Object.keys(b.sides)] as LaneSide[]);
  const sides = Object.fromEntries([...names].map((name) => [name, sumOf(a.sides[name], b.sides[name])]));
  return { ...a, ...b, atMs: a.atMs, sides };
}

function sumOf(a: SeriesSide = NOTHING, b: SeriesSide = NOTHING): SeriesSide {
  return {
    requests: a.requests + b.requests,
    left: a.left + b.left,
    appErrors: a.appErrors + b.appErrors,
    lost: a.lost + b.lost,
    responses: mergeQuantiles(a.responses, b.responses),
  };
}
