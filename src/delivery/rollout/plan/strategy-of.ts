import type { StrategyName } from '../../compose/index.ts';
import type { StepRecord } from '../execute/journal.ts';

/** Told by its steps until the new release serves; what leaves behind that leaves in every strategy. */
export function strategyOf(steps: readonly Pick<StepRecord, 'step' | 'undoing'>[]): StrategyName {
  const forward = steps.filter(({ undoing }) => !undoing).map(({ step }) => step);
  const decisive = forward.findIndex(({ kind }) => kind === 'set-standing');
  const before = decisive === -1 ? forward : forward.slice(0, decisive);
  if (before.some((step) => step.kind === 'analyse' && step.stages > 0)) return 'canary';
  const rolls = new Set(['monitor', 'drain-instance', 'set-weights', 'set-tcp-weights']);
  const isRolling = (step: StepRecord['step']): boolean =>
    rolls.has(step.kind) || (step.kind === 'stop-instance' && step.fit !== undefined);
  return before.some(isRolling) ? 'rolling' : 'blue-green';
}
