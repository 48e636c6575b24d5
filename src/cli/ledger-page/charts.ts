import { formatMs, formatNumber, formatShare } from '../output/text.ts';
import { renderChart, renderShares, type Line } from './chart.ts';
import { html, type Html, NOTHING } from './html.ts';
import { failedShare, nameOf, type Point, type Shown, type SideName, type Timeline } from './shown.ts';

/** Everything that changes over time. */
export function renderCharts(ledger: Shown, timeline: Timeline): Html {
  const { stepMs } = timeline;
  return html`<h2 id="time">Over time</h2>
    <p class="soft">
      Time runs from the beginning of the rollout, in steps of
      ${stepMs === 1_000 ? 'one second' : `${stepMs / 1_000} seconds`}. Requests of clients only; the built-in probes
      have a table of their own.
    </p>
    ${split(ledger, timeline)}${perSecond(ledger, timeline)}${failures(ledger, timeline)}${latency(ledger, timeline)}`;
}

function frame({ from, to, marks }: Timeline): Pick<Timeline, 'from' | 'to' | 'marks'> {
  return { from, to, marks };
}

function split(ledger: Shown, timeline: Timeline): Html {
  const { points, sides, stepMs } = timeline;
  const [candidate] = points.filter((point) => (point.candidate?.requests ?? 0) > 0);
  const wanted = points.flatMap(({ atMs, weight }) => (weight === undefined ? [] : [[atMs, weight / 10_000] as const]));
  return renderShares({
    ...frame(timeline),
    title: 'Traffic split',
    description:
      candidate === undefined
        ? 'the candidate got no requests.'
        : `the candidate got its first requests ${Math.round((candidate.atMs - timeline.from) / 1_000)} seconds after the beginning.`,
    stepMs,
    names: sides.map((side) => ({ name: nameOf(side, ledger), look: side })),
    points: points.flatMap((point) => {
      const counts = sides.map((side) => point[side]?.requests ?? 0);
      const all = counts.reduce((sum, count) => sum + count, 0);
      return all === 0 ? [] : [{ x: point.atMs, parts: counts.map((count) => count / all) }];
    }),
    wanted,
  });
}

function linesOf(
  ledger: Shown,
  { points, sides, stepMs }: Timeline,
  valueOf: (point: Point, side: SideName) => number | undefined,
): readonly Line[] {
  return sides.map((side) => ({
    label: nameOf(side, ledger),
    look: side === 'candidate' ? 'candidate dashed' : side,
    points: points.map((point) => [point.atMs + stepMs / 2, valueOf(point, side)] as const),
  }));
}

function perSecond(ledger: Shown, timeline: Timeline): Html {
  const lines = linesOf(ledger, timeline, (point, side) => ((point[side]?.requests ?? 0) * 1_000) / timeline.stepMs);
  return renderChart({
    ...frame(timeline),
    title: 'Requests per second',
    description: lines.map(({ label, points }) => `${label} up to ${formatNumber(highest(points))}`).join(', ') + '.',
    lines,
    formatY: formatNumber,
  });
}

function failures(ledger: Shown, timeline: Timeline): Html {
  const lines = linesOf(ledger, timeline, (point, side) =>
    point[side] === undefined ? undefined : failedShare(point[side]),
  );
  const lost = timeline.points.flatMap((point) => {
    const count = timeline.sides.reduce((sum, side) => sum + (point[side]?.lost ?? 0), 0);
    return count === 0 ? [] : [{ x: point.atMs + timeline.stepMs / 2, label: `${count} lost` }];
  });
  const most = Math.max(0, ...lines.map(({ points }) => highest(points)));
  return renderChart({
    ...frame(timeline),
    title: 'Failed requests',
    description:
      most === 0
        ? 'none on any side.'
        : `at most ${formatShare(most)} in one step; steps with lost requests: ${lost.length}.`,
    lines,
    losses: lost,
    ...(most === 0 ? { top: 0.01 } : most > 0.5 ? { top: 1 } : {}),
    formatY: formatShare,
  });
}

function latency(ledger: Shown, timeline: Timeline): Html {
  const p95 = linesOf(ledger, timeline, (point, side) => point[side]?.p95Ms).map((line) => ({
    ...line,
    label: `${line.label}, p95`,
  }));
  const p50 = linesOf(ledger, timeline, (point, side) => point[side]?.p50Ms).map((line) => ({
    ...line,
    label: `${line.label}, p50`,
    look: `${line.look} thin`,
  }));
  return renderChart({
    ...frame(timeline),
    title: 'Time to the first byte of the answer',
    description: p95.map(({ label, points }) => `${label} up to ${formatMs(highest(points))}`).join(', ') + '.',
    lines: [...p95, ...p50],
    formatY: formatMs,
  });
}

function highest(points: Line['points']): number {
  return points.reduce((most, [, y]) => Math.max(most, y ?? 0), 0);
}

/** How the evidence of each metric grew towards its two thresholds. */
export function renderEvidenceCharts(ledger: Shown, timeline: Timeline): readonly Html[] {
  const noted = timeline.points.filter(({ evidence }) => (evidence ?? []).length > 0);
  if (noted.length < 2) return [];
  return (ledger.verdict?.metrics ?? []).map(({ metric, thresholds }) => {
    const line = (of: 'worse' | 'notWorse'): Line['points'] =>
      timeline.points.map((point) => {
        const own = point.evidence?.find((each) => each.metric === metric);
        return [point.atMs + timeline.stepMs / 2, own === undefined ? undefined : Math.max(-1, own[of])] as const;
      });
    return renderChart({
      ...frame(timeline),
      title: `Evidence: ${metric}`,
      description: `evidence that the candidate is worse aborts at ${odds(thresholds.worse)}; that it is not worse passes at ${odds(thresholds.notWorse)}.`,
      lines: [
        { label: 'that it is worse', look: 'candidate', points: line('worse') },
        { label: 'that it is not worse by more than the margin', look: 'stable dashed', points: line('notWorse') },
      ],
      limits: [
        { y: thresholds.worse, label: `aborts at ${odds(thresholds.worse)}`, look: '' },
        { y: thresholds.notWorse, label: `passes at ${odds(thresholds.notWorse)}`, look: 'pass' },
      ],
      bottom: -1,
      top: Math.max(thresholds.worse, thresholds.notWorse) * 1.15,
      formatY: odds,
    });
  });
}

/** An e-value of which the decimal logarithm is given, as a bet pays: `2.5×`, `200×`. */
export function odds(logarithm: number): string {
  const value = 10 ** logarithm;
  if (value >= 99_999.5) return `1e${Math.floor(logarithm)}×`;
  if (value >= 9.95) return `${Math.round(value)}×`;
  return value < 0.05 ? '<0.1×' : `${value.toFixed(1)}×`;
}

/** Where a step stands in the rollout. */
export function renderBar(step: Shown['steps'][number], from: number, to: number): Html {
  if (step.startedAt === undefined) return NOTHING;
  const span = to - from || 1;
  const start = new Date(step.startedAt).getTime();
  const end = step.endedAt === undefined ? to : new Date(step.endedAt).getTime();
  const left = ((start - from) / span) * 200;
  const width = Math.max(2, ((end - start) / span) * 200);
  const look = step.outcome === 'failed' ? 'failed' : step.undoing ? 'undo' : '';
  return html`<svg class="bar" viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class="rail" y="4.5" width="200" height="1" />
    <rect class="step ${look}" x="${Math.min(198, left).toFixed(1)}" width="${width.toFixed(1)}" height="10" />
  </svg>`;
}
