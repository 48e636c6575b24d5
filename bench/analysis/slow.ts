import {
  addDurations,
  DEFAULT_ANALYSIS,
  newAnalysis,
  NO_DURATIONS,
  observe,
  type SideCounts,
  slowThresholdOf,
} from '../../src/delivery/rollout/judge/analysis/index.ts';
import { normal, type Random } from './random.ts';

export interface SlowScenario {
  /** The candidate takes so many times as long. */
  readonly factor: number;
  readonly share: number;
  readonly requests: number;
}

export type SlowVerdict = { readonly word: 'pass' | 'fail'; readonly toCandidate: number };

const LOOK = 100;

/**
 * One rollout judged by durations alone: lognormal around 40 ms (sigma 0.7) that swing by a third over the rollout,
 * the threshold taken from stable's past as the product does it. `until` is the verdict that ends it.
 */
export function runSlow(scenario: SlowScenario, random: Random, until: 'fail' | 'pass'): SlowVerdict | undefined {
  const settings = { ...DEFAULT_ANALYSIS, metrics: ['slow'] as const };
  const worst = Math.log(DEFAULT_ANALYSIS.metrics.length / settings.alpha);
  let [state, past, toCandidate] = [newAnalysis(settings), NO_DURATIONS, 0];
  for (let total = 0; total < scenario.requests; total += LOOK) {
    const median = 40 * 1.33 ** Math.sin((total / scenario.requests) * 6 * Math.PI);
    const threshold = slowThresholdOf(past);
    const durations = { stable: [] as number[], candidate: [] as number[] };
    for (let request = 0; request < LOOK; request++) {
      const isCandidate = random() < scenario.share;
      const duration = median * Math.exp(0.7 * normal(random)) * (isCandidate ? scenario.factor : 1);
      (isCandidate ? durations.candidate : durations.stable).push(duration);
    }
    past = addDurations(past, durations.stable);
    toCandidate += durations.candidate.length;
    state = observe(state, {
      stable: sideOf(durations.stable, threshold),
      candidate: sideOf(durations.candidate, threshold),
    });
    const [metric] = state.metrics;
    if (until === 'fail' && (metric?.worse.peak ?? 0) >= worst) return { word: 'fail', toCandidate };
    const enough = toCandidate >= settings.minimumRequests;
    if (until === 'pass' && enough && (metric?.notWorse.log ?? 0) >= -Math.log(settings.beta))
      return { word: 'pass', toCandidate };
  }
  return undefined;
}

function sideOf(durations: readonly number[], threshold: number | undefined): SideCounts {
  const slow = threshold === undefined ? 0 : durations.filter((duration) => duration > threshold).length;
  return { requests: durations.length, failed: 0, slow, timed: threshold === undefined ? 0 : durations.length };
}
