import { mergeQuantiles, NO_DURATIONS, type Quantiles, quantileOf } from '../judge/analysis/index.ts';
import type {
  Ledger,
  LedgerFigures,
  LedgerPoint,
  LedgerPointSide,
  LedgerProbe,
  LedgerSeries,
  LedgerSide,
  LedgerTraffic,
} from '../ledger-view.ts';
import { lostOf, type ProbeReport } from './probes/index.ts';
import { NO_LOSSES, type Tally } from '../judge/samples-tally.ts';
import type { Collector, LaneSamples, LaneSide } from '../judge/samples.ts';
import type { Witness } from './witness.ts';
import type { RolloutRecord } from '../execute/journal.ts';
import { ledgerTraffic } from './lane-readings.ts';
import type { Series, SeriesSide } from './series.ts';
import type { Testimony } from './witness-store.ts';

/** All that is known of a rollout's requests, from three sources that know nothing of each other. */
export interface Sources {
  readonly lanes: readonly LaneSamples[];
  readonly traffic: readonly LedgerTraffic[];
  readonly testimony?: Testimony;
}

/** Requests by all who saw them. */
export function sourcesOf(
  parts: { readonly collector: Collector; readonly witness: Witness },
  record: RolloutRecord,
): Sources {
  const key = { project: record.project, rollout: record.number };
  const testimony = parts.witness.testimony(key);
  return {
    lanes: parts.collector.sides(key),
    traffic: ledgerTraffic(record.readings),
    ...(testimony === undefined ? {} : { testimony }),
  };
}

const ORDER: readonly LaneSide[] = ['stable', 'candidate', 'carried'];

export function sidesOf(lanes: readonly LaneSamples[]): readonly LedgerSide[] {
  const groups = Map.groupBy(lanes, ({ side }) => side);
  return ORDER.filter((side) => groups.has(side)).map((side) => ({
    side,
    ...figuresOf(groups.get(side)!),
    services: groups.get(side)!.map((lane) => ({ service: lane.service, release: lane.release, ...figuresOf([lane]) })),
  }));
}

function figuresOf(tallies: readonly Tally[]): LedgerFigures {
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
  const kinds = Object.keys(NO_LOSSES) as (keyof typeof NO_LOSSES)[];
  const losses = Object.fromEntries(
    kinds.map((kind) => [kind, sum(({ losses: own }) => own[kind])]),
  ) as unknown as LedgerFigures['losses'];
  const responses = tallies.reduce<Quantiles>((all, tally) => mergeQuantiles(all, tally.responses), NO_DURATIONS);
  return {
    requests: sum(({ requests }) => requests),
    left: sum(({ left }) => left),
    drained: sum(({ drained = 0 }) => drained),
    lost: sum(lossesOf),
    losses,
    appErrors: sum(({ appErrors }) => appErrors),
    ...(responses.count === 0 ? {} : { latencyMs: latencyOf(responses) }),
  };
}

function latencyOf(responses: Quantiles): NonNullable<LedgerFigures['latencyMs']> {
  const at = (q: number): number => rounded(quantileOf(responses, q) ?? 0);
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Three digits that mean something. */
function rounded(ms: number): number {
  return Number(ms.toPrecision(3));
}

function lossesOf({ losses }: Pick<Tally, 'losses'>): number {
  return Object.values(losses).reduce((sum, count) => sum + count, 0);
}

export function probesOf(reports: readonly ProbeReport[]): readonly LedgerProbe[] {
  return reports.map((report) => ({ ...report, lost: lostOf(report) }));
}

/**
 * Counters begin anew with the proxy, and reports of requests miss what falls while the daemon is away: what one of them
 * has seen lost was lost, and a sum would count twice. The probes know best what became of their own.
 */
export function totalsOf(sources: Sources): Ledger['totals'] {
  const { lanes, traffic } = sources;
  const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
    values.reduce((total, value) => total + of(value), 0);
  return {
    requests: Math.max(
      sum(traffic, ({ requests }) => requests),
      sum(lanes, ({ requests }) => requests),
    ),
    lost: lostIn(lostBy(sources)),
    appErrors: sum(lanes, ({ appErrors }) => appErrors),
  };
}

interface Lost {
  /** Of clients, by the proxy's counters. */
  readonly counters: number;
  /** Of clients, by the reports of their requests. */
  readonly requests: number;
  readonly probes: number;
}

function lostIn({ counters, requests, probes }: Lost): number {
  return Math.max(counters, requests) + probes;
}

function lostBy({ lanes, traffic, testimony }: Sources): Lost {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
  return {
    counters: Math.max(0, sum(traffic.map(({ lost }) => lost)) - (testimony?.probed.lost ?? 0)),
    requests: sum(lanes.map(lossesOf)),
    probes: sum((testimony?.probes ?? []).map(lostOf)),
  };
}

/** One sentence for each reason to trust the numbers less. */
export function doubtsOf(sources: Sources): readonly string[] {
  const { testimony, lanes } = sources;
  const { counters, requests, probes } = lostBy(sources);
  const isSeen = lanes.length > 0;
  return [
    ...(isSeen && counters !== requests
      ? [
          `The requests that were seen one by one say ${requests} lost, the proxy's counters say ${counters} (those of the probes left out). ` +
            'The counters go on until the next rollout and the reports end 30 seconds after this one; the higher number is told.',
        ]
      : []),
    ...(probes > (testimony?.probed.lost ?? 0)
      ? [
          `The probes lost ${probes}, the proxy knows of ${testimony?.probed.lost ?? 0}: the others never reached it, or were cut behind it.`,
        ]
      : []),
    ...(testimony === undefined || testimony.missed === 0
      ? []
      : [
          `${testimony.missed} reports of requests were dropped before they were read: the numbers of the sides are too small by so many.`,
        ]),
    ...(testimony?.gaps ?? []).map(
      ({ fromMs, toMs }) =>
        `From ${timeOf(fromMs)} to ${timeOf(toMs)} the daemon was away: the proxy went on serving and counting, but the requests of that time were not seen one by one.`,
    ),
  ];
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

export function seriesOf({ stepMs, points }: Series): LedgerSeries {
  return {
    stepMs,
    points: points.map(({ atMs, sides, weight, evidence }): LedgerPoint => ({
      atMs,
      ...(sides.stable === undefined ? {} : { stable: pointSide(sides.stable) }),
      ...(sides.candidate === undefined ? {} : { candidate: pointSide(sides.candidate) }),
      ...(sides.carried === undefined ? {} : { carried: pointSide(sides.carried) }),
      ...(weight === undefined ? {} : { weight }),
      ...(evidence === undefined ? {} : { evidence }),
    })),
  };
}

function pointSide({ requests, lost, appErrors, responses }: SeriesSide): LedgerPointSide {
  const at = (q: number): number => rounded(quantileOf(responses, q) ?? 0);
  return {
    requests,
    lost,
    appErrors,
    ...(responses.count === 0 ? {} : { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) }),
  };
}
