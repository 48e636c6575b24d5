import type { Result, Series } from './result.ts';
import { summarise } from './statistics.ts';
import { type Colour, type Mark, type Point, renderChart, type Tick } from './svg.ts';

const COLOURS: readonly Colour[] = ['blue', 'orange', 'green', 'pink', 'yellow', 'sky', 'red', 'grey', 'black'];
/** Fewer samples are a table. */
const FEWEST = 3;

/** A curve where the order of the samples matters; else as a distribution. Undefined: nothing to draw. */
export function plotOf(result: Result): string | undefined {
  const inOrder = result.series.find(({ isInOrder }) => isInOrder);
  return inOrder === undefined ? distributionOf(result) : curveOf(result.title, inOrder);
}

/** Every sample one after another, and the medians of so many. */
const WINDOW = 15;

function curveOf(title: string, { name, samples }: Series): string {
  const most = niceAbove(Math.max(...samples));
  const count = samples.length;
  const medians = samples.map((_, index): Point => {
    const around = samples.slice(Math.max(0, index - WINDOW), index + WINDOW + 1);
    return [index + 1, summarise(around).p50];
  });
  return renderChart({
    title,
    legendColumns: 1,
    x: { label: 'container', scale: 'linear', min: 0, max: count, ticks: fifths(count) },
    y: { label: 'milliseconds', scale: 'linear', min: 0, max: most, ticks: fifths(most) },
    marks: [
      { kind: 'line', name, colour: 'grey', points: samples.map((at, index): Point => [index + 1, at]), look: 'thin' },
      { kind: 'line', name: `median of ${2 * WINDOW + 1}`, colour: 'blue', points: medians, look: 'bare' },
    ],
  });
}

function fifths(most: number): readonly Tick[] {
  return [0, 1, 2, 3, 4, 5].map((step) => ({ at: (most * step) / 5, label: String(Math.round((most * step) / 5)) }));
}

function niceAbove(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / decade) * decade;
}

/**
 * Every sample of the times of a result (of its counts, where it has no times): the share of them that was at most so
 * much. Undefined: nothing to draw.
 */
function distributionOf({ title, series }: Result): string | undefined {
  const many = series.filter(({ samples }) => samples.length >= FEWEST);
  const ofUnit = (wanted: Series['unit']): readonly Series[] => many.filter(({ unit }) => unit === wanted);
  const times = ofUnit('ms');
  const drawn = (times.length > 0 ? times : ofUnit('count')).slice(0, COLOURS.length);
  if (drawn.length === 0) return undefined;
  const all = drawn.flatMap(({ samples }) => samples);
  return renderChart({
    title,
    legendColumns: 1,
    x: times.length > 0 ? timeAxis(all) : countAxis(all),
    y: {
      label: 'share of the samples',
      scale: 'linear',
      min: 0,
      max: 1,
      ticks: [0, 0.25, 0.5, 0.75, 1].map(shareTick),
    },
    marks: drawn.map(markOf),
  });
}

function timeAxis(all: readonly number[]) {
  const [min, max] = [decadeBelow(Math.min(...all)), decadeAbove(Math.max(...all))];
  return { label: 'milliseconds', scale: 'log', min, max, ticks: decades(min, max) } as const;
}

/** From nothing on: most counts are 0. */
function countAxis(all: readonly number[]) {
  const max = niceAbove(Math.max(5, ...all));
  return { label: 'requests', scale: 'linear', min: 0, max, ticks: fifths(max) } as const;
}

function markOf({ name, samples }: Series, index: number): Mark {
  const sorted = [...samples].sort((a, b) => a - b);
  const points = sorted.flatMap((at, rank): Point[] => [
    [at, rank / sorted.length],
    [at, (rank + 1) / sorted.length],
  ]);
  return { kind: 'line', name: name.replaceAll('`', ''), colour: COLOURS[index] ?? 'black', points, look: 'bare' };
}

function shareTick(at: number): Tick {
  return { at, label: `${at * 100} %` };
}

function decades(min: number, max: number): readonly Tick[] {
  const count = Math.round(Math.log10(max / min));
  return Array.from({ length: count + 1 }, (_, step) => {
    const at = Number((min * 10 ** step).toPrecision(1));
    return { at, label: at.toLocaleString('en-US', { maximumFractionDigits: 3 }) };
  });
}

function decadeBelow(value: number): number {
  return 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
}

function decadeAbove(value: number): number {
  return 10 ** Math.ceil(Math.log10(Math.max(value, 0.01)));
}
