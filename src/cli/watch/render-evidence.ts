import { inert, padEnd, padStart } from '../output/text.ts';
import { barOf, labelled, LABEL_COLUMNS, type Room } from './frame.ts';
import { verdictWords, type Status } from './status.ts';

type Metric = NonNullable<Status['verdict']>['metrics'][number];

const WIDEST_BAR = 40;
const WORD_COLUMNS = 10;
const FIGURE_COLUMNS = 26;

/** How far the evidence has come towards each verdict. */
export function renderEvidence(status: Status, room: Room): readonly string[] {
  const { verdict } = status;
  const words = verdictWords(status);
  if (verdict === undefined || words === undefined) return [];
  const { style } = room;
  const paint = { pass: style.green, fail: style.red, insufficient: style.yellow }[verdict.verdict];
  return [
    ...labelled('verdict', words, { columns: room.columns, paint }),
    ...verdict.metrics.flatMap((metric) => renderMetric(metric, room)),
  ];
}

function renderMetric(metric: Metric, { columns, style, isTight }: Room): readonly string[] {
  const { worse, notWorse, thresholds, reason } = metric;
  const width = Math.max(6, Math.min(WIDEST_BAR, columns - LABEL_COLUMNS - WORD_COLUMNS - FIGURE_COLUMNS));
  const row = (
    label: string,
    word: string,
    o: { value: number; limit: number; paint: (text: string) => string; end: string },
  ) =>
    `${padEnd(label, LABEL_COLUMNS)}${padEnd(word, WORD_COLUMNS)}${barOf(o.value / o.limit, width, o.paint)}` +
    `${padStart(odds(o.value), 8)} of ${padStart(odds(o.limit), 6)} ${o.end}`;
  return [
    row(metric.metric, 'worse', { value: worse, limit: thresholds.worse, paint: style.red, end: 'aborts' }),
    row('', 'not worse', { value: notWorse, limit: thresholds.notWorse, paint: style.green, end: 'passes' }),
    ...(isTight ? [] : labelled('', inert(reason), { columns, paint: style.dim })),
  ];
}

/** An e-value of which the decimal logarithm is given, as a bet pays: `2.5×`, `200×`. */
function odds(logarithm: number): string {
  const value = 10 ** logarithm;
  if (value >= 99_999.5) return `1e${Math.floor(logarithm)}×`;
  if (value >= 9.95) return `${Math.round(value)}×`;
  return value < 0.05 ? '<0.1×' : `${value.toFixed(1)}×`;
}

const MARKS = { ok: '✓', failed: '✗', unknown: '?' } as const;

/** Guards that hold share a line; any other has one of its own. */
export function renderGuards({ guards }: Status, { columns, style }: Room): readonly string[] {
  const held = guards.filter(({ state }) => state === 'ok').map(({ name }) => `${MARKS.ok} ${inert(name)}`);
  const lines = [
    ...(held.length === 0 ? [] : labelled('', held.join('  '), { columns, paint: style.green })),
    ...guards.flatMap(({ state, name, detail }) => {
      if (state === 'ok') return [];
      const paint = state === 'failed' ? style.red : style.yellow;
      return labelled('', `${MARKS[state]} ${inert(name)}: ${inert(detail)}`, { columns, paint });
    }),
  ];
  return lines.map((line, index) => (index === 0 ? `${padEnd('guards', LABEL_COLUMNS)}${line.trimStart()}` : line));
}
