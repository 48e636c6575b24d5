import { summarise } from './statistics.ts';

/** One measured quantity. */
export interface Series {
  readonly name: string;
  readonly unit: 'ms' | 'MB' | 'count';
  readonly samples: readonly number[];
  /** One after another, and the order matters: it is drawn as such. */
  readonly isInOrder?: boolean;
}

/** How two medians compare; above 1 Bascule needs less. */
export interface Ratio {
  readonly name: string;
  readonly value: number;
  /** The least that we want, where the issue names one. */
  readonly target?: number;
}

export interface Result {
  readonly name: string;
  readonly title: string;
  readonly series: readonly Series[];
  readonly ratios: readonly Ratio[];
  readonly notes: readonly string[];
}

/** What one measurement found, and where. */
export interface Report {
  readonly at: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly result: Result;
}

/** Median of `peer` over median of `ours`. */
export function ratioOf(name: string, pair: { readonly ours: Series; readonly peer: Series }, target?: number): Ratio {
  const value = summarise(pair.peer.samples).p50 / summarise(pair.ours.samples).p50;
  return { name, value, ...(target === undefined ? {} : { target }) };
}

/**
 * Of one machine mostly: its facts stand once, and again where they differ.
 * @param plots those that lie beside it, by the names of their results
 */
export function renderReports(reports: readonly Report[], plots: ReadonlyMap<string, string | undefined>): string {
  let last = '';
  return [
    '# Benchmark results',
    '',
    'Written by `npm run bench`; do not edit. Raw samples are in the JSON files beside this one.',
    'Ratios are medians of the peer over medians of Bascule: above 1, Bascule needs less.',
    ...reports.flatMap((report) => {
      const facts = renderFacts(report);
      const isSame = facts === last;
      last = facts;
      const measured = `Measured at ${report.at}, revision ${report.machine['revision'] ?? 'unknown'}.`;
      const { name, title } = report.result;
      const plot = plots.get(name) === undefined ? [] : ['', `![${title}](${name}.svg)`];
      return [...renderResult(report.result), ...plot, '', measured, ...(isSame ? [] : ['', facts])];
    }),
    '',
  ].join('\n');
}

function renderFacts({ machine }: Report): string {
  const rows = Object.entries(machine)
    .filter(([name]) => name !== 'revision')
    .map(([name, value]) => `| ${name} | ${value} |`);
  return ['| machine | |', '| --- | --- |', ...rows].join('\n');
}

function renderResult(result: Result): readonly string[] {
  const rows = result.series.map(({ name, unit, samples }) => {
    const { count, min, p50, p99, max } = summarise(samples);
    return `| ${name} | ${unit} | ${count} | ${[min, p50, p99, max].map(format).join(' | ')} |`;
  });
  const ratios = result.ratios.map(({ name, value, target }) => {
    const verdict =
      target === undefined ? '' : value >= target ? `at least ${target}: reached` : `at least ${target}: **missed**`;
    return `| ${name} | ${value.toFixed(2)} | ${verdict} |`;
  });
  return [
    '',
    `## ${result.title}`,
    '',
    '| what | unit | samples | min | median | p99 | max |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    ...(ratios.length === 0 ? [] : ['', '| ratio | value | target |', '| --- | ---: | --- |', ...ratios]),
    ...(result.notes.length === 0 ? [] : ['', ...result.notes.map((note) => `* ${note}`)]),
  ];
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);
}
