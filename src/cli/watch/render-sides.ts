import { formatMs, formatNumber, formatShare, padEnd, padStart } from '../output/text.ts';
import type { Style } from '../output/style.ts';
import { LABEL_COLUMNS, type Room } from './frame.ts';
import { isCompared, type Status } from './status.ts';

type Side = NonNullable<Status['sides']>['stable'];

const WIDEST_CELL = 24;
const NARROW_CELL = 17;
const RIGHT_GAP = 2;

/** What both sides answered, side by side. */
export function renderSides(status: Status, { columns, style, isTight }: Room): readonly string[] {
  const { sides } = status;
  if (sides === undefined || !isCompared(status)) return [];
  const cell = Math.min(WIDEST_CELL, Math.floor((columns - LABEL_COLUMNS - RIGHT_GAP) / 2));
  const row = (label: string, of: (side: Side) => string, paint = (text: string): string => text): string =>
    padEnd(label, LABEL_COLUMNS) + padStart(of(sides.stable), cell) + paint(padStart(of(sides.candidate), cell));
  const number = cell < NARROW_CELL ? 'r' : 'release ';
  const heading =
    padStart(`old, ${number}${sides.stable.release}`, LABEL_COLUMNS + cell) +
    padStart(`new, ${number}${sides.candidate.release}`, cell);
  const latency = isTight
    ? [
        row('p50/95/99', ({ p50Ms, p95Ms, p99Ms }) =>
          p50Ms === undefined ? '-' : [p50Ms, p95Ms, p99Ms].map(formatMs).join('/').replaceAll(' ms/', '/'),
        ),
      ]
    : [
        row('p50', ({ p50Ms }) => formatMs(p50Ms)),
        row('p95', ({ p95Ms }) => formatMs(p95Ms)),
        row('p99', ({ p99Ms }) => formatMs(p99Ms)),
      ];
  return [
    style.dim(heading),
    row('requests', ({ requests, perSecond }) => `${formatNumber(requests)}, ${formatNumber(perSecond)}/s`),
    row('errors', (side) => partOf(side, side.failed), painterOf(status, 'errors', style)),
    row('slow', (side) => partOf(side, side.slow), painterOf(status, 'slow', style)),
    ...latency,
  ];
}

function partOf({ requests }: Side, count: number): string {
  return requests === 0 ? '-' : `${formatNumber(count)}, ${formatShare(count / requests)}`;
}

/** The candidate's figures in the colour of their verdict. */
function painterOf({ verdict }: Status, metric: string, style: Style): (text: string) => string {
  const word = verdict?.metrics.find((each) => each.metric === metric)?.verdict;
  if (word === 'fail') return (text) => style.red(text);
  return word === 'pass' ? (text) => style.green(text) : (text) => text;
}
