import type { StrategyName } from '../../compose/index.ts';
import { unreachable } from '../../../lib/errors.ts';
import type { DeployInput, Plan } from './plan.ts';
import { type Draft, draftOf } from './draft.ts';
import { planBlueGreen } from './strategies/blue-green.ts';
import { planCanary } from './strategies/canary.ts';
import { planRolling } from './strategies/rolling.ts';

/** Decides how a release comes into service. What has nothing to do step by step is one atomic switch. */
export function planDeploy(input: DeployInput): Plan {
  const draft = draftOf(input);
  const strategy = strategyOf(draft);
  switch (strategy) {
    case 'blue-green':
      return planBlueGreen(draft);
    case 'canary':
      return planCanary(draft) ?? planBlueGreen(draft);
    case 'rolling':
      return planRolling(draft) ?? planBlueGreen(draft);
    default:
      return unreachable(strategy);
  }
}

/**
 * A first release has nothing to be compared with. A rollback goes back at once, never through a canary; only where
 * the old release is cold and the one that serves came in batches, it goes back in batches.
 */
function strategyOf({ scene, placed }: Draft): StrategyName {
  const { kind, standing, strategy, target, releases } = scene;
  if (standing.current === undefined) return 'blue-green';
  if (kind !== 'rollback') return strategy ?? target.model.settings.strategy;
  const serving = releases.get(standing.current.release)?.model.settings.strategy;
  const isCold = placed.some(({ fresh }) => fresh);
  return isCold && serving === 'rolling' ? 'rolling' : 'blue-green';
}
