import type { Experiment } from './experiments.ts';
import type { Decisions } from './run.ts';

/** What the simulations found, by experiment and judge. */
export interface Findings {
  readonly experiments: readonly Experiment[];
  readonly decisions: ReadonlyMap<string, Decisions>;
}

/** One judge in one experiment: how often it decided, and after how many requests to the candidate. */
export interface Finding {
  readonly runs: number;
  readonly decided: number;
  /** Requests to the candidate within which the fraction `q` of all runs was decided; undefined: never. */
  quantile(q: number): number | undefined;
}

export function findingOf({ decisions }: Findings, name: string, judge: string): Finding {
  const all = decisions.get(name)?.[judge];
  if (all === undefined) throw new Error(`no finding of ${judge} in ${name}`);
  const sorted = all.map((each) => each ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  return {
    runs: all.length,
    decided: all.filter((each) => each !== null).length,
    quantile(q) {
      const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.POSITIVE_INFINITY;
      return Number.isFinite(value) ? value : undefined;
    },
  };
}

/** Wilson's score interval of a proportion at 95 %. */
export function wilson({ decided, runs }: Pick<Finding, 'decided' | 'runs'>): {
  readonly low: number;
  readonly high: number;
} {
  const z = 1.96;
  const rate = decided / runs;
  const scale = 1 + z ** 2 / runs;
  const middle = (rate + z ** 2 / (2 * runs)) / scale;
  const half = (z / scale) * Math.sqrt((rate * (1 - rate)) / runs + z ** 2 / (4 * runs ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
