import type { StrategyName } from '../compose/index.ts';
import type { StepRecord } from './journal.ts';

/** Told by its steps. */
export function strategyOf(steps: readonly Pick<StepRecord, 'step' | 'undoing'>[]): StrategyName {
  const forward = steps.filter(({ undoing }) => !undoing).map(({ step }) => step);
  if (forward.some((step) => step.kind === 'analyse' && step.stages > 0)) return 'canary';
  const rolls = new Set(['monitor', 'drain-instance', 'set-weights', 'set-tcp-weights']);
  return forward.some(({ kind }) => rolls.has(kind)) ? 'rolling' : 'blue-green';
}
