import type { Ledger, LedgerPoint, LedgerPointSide, Streamed } from '../../server/client/index.ts';
import type { Mark } from './chart.ts';

/** A ledger as the client gives it. */
export type Shown = Streamed<Ledger>;
export type Point = Streamed<LedgerPoint>;
export type SideName = 'stable' | 'candidate' | 'carried';

/** What the page says of time: where its charts begin and end, and what happened when. */
export interface Timeline {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly points: readonly Point[];
  readonly sides: readonly SideName[];
  readonly marks: readonly Mark[];
}

const SIDES: readonly SideName[] = ['stable', 'candidate', 'carried'];

/** Undefined when nothing was seen over time. */
export function timelineOf(ledger: Shown): Timeline | undefined {
  const { series } = ledger;
  if (series === undefined || series.points.length === 0) return undefined;
  const { stepMs } = series;
  const started = new Date(ledger.startedAt).getTime();
  const [first, last] = [series.points[0]!.atMs, series.points.at(-1)!.atMs + stepMs];
  return {
    from: Math.min(first, started),
    to: Math.max(last, ledger.endedAt === undefined ? last : new Date(ledger.endedAt).getTime()),
    stepMs,
    points: filled(series.points, stepMs),
    sides: SIDES.filter((side) => series.points.some((point) => (point[side]?.requests ?? 0) > 0)),
    marks: marksOf(ledger),
  };
}

/** A step in which nothing happened is a point with nothing in it. */
function filled(points: readonly Point[], stepMs: number): readonly Point[] {
  return points.flatMap((point, index) => {
    const next = points[index + 1]?.atMs ?? point.atMs + stepMs;
    return next > point.atMs + stepMs ? [point, { atMs: point.atMs + stepMs }, { atMs: next - stepMs }] : [point];
  });
}

function marksOf({ steps, endedAt, controls, result }: Shown): readonly Mark[] {
  const at = (time: string | undefined): number => new Date(time ?? 0).getTime();
  const undo = steps.find((step) => step.undoing && step.startedAt !== undefined);
  const tips = steps.filter(
    ({ kind, startedAt, undoing }) =>
      (kind === 'switch-routes' || kind === 'switch-route') && startedAt !== undefined && !undoing,
  );
  return [
    ...tips.slice(-1).map((step) => ({ x: at(step.startedAt), label: 'switch' })),
    ...(undo === undefined ? [] : [{ x: at(undo.startedAt), label: 'taken back' }]),
    ...controls.map((control) => ({ x: at(control.at), label: control.action })),
    ...(endedAt === undefined ? [] : [{ x: at(endedAt), label: result === 'switched' ? 'done' : result }]),
  ];
}

/** The words for a side: which release it is, where that is known. */
export function nameOf(side: SideName, { from, to }: Pick<Shown, 'from' | 'to'>): string {
  switch (side) {
    case 'stable':
      return from === undefined ? 'before' : `release ${from} (stable)`;
    case 'candidate':
      return to === undefined ? 'new' : `release ${to} (candidate)`;
    case 'carried':
      return 'carried over';
  }
}

export function failedShare({ requests, lost, appErrors }: Streamed<LedgerPointSide>): number | undefined {
  return requests === 0 ? undefined : (lost + appErrors) / requests;
}

export function passageOf({ from, to }: Pick<Shown, 'from' | 'to'>): string {
  if (from === undefined) return to === undefined ? '' : `release ${to}`;
  return to === undefined ? `release ${from}` : `release ${from} to release ${to}`;
}
