import type { Plan } from '../plan.ts';
import { type Draft } from '../draft.ts';
import { planOf } from '../finish.ts';
import { confirmationWave, portionsOf, settleWaves, standUpWaves, tipOverWaves } from '../stages.ts';

/**
 * Blue-green: the whole new set beside the old one, health, one switch; the old set stays warm. Traffic never moves
 * before every fresh instance is healthy. Everything before the new standing is set can be undone.
 */
export function planBlueGreen(draft: Draft): Plan {
  return planOf(draft, 'blue-green', [
    ...standUpWaves(draft, portionsOf(draft)),
    confirmationWave(draft),
    ...tipOverWaves(draft),
    ...settleWaves(draft),
  ]);
}
