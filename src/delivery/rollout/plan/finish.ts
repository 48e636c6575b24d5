import type { StrategyName } from '../../compose/index.ts';
import type { Draft, Waves } from './draft.ts';
import type { Plan } from './plan.ts';
import { isUnchanged } from './standing-after.ts';
import { warningsOf } from './warnings.ts';

/** The plan of a draft, whose waves a strategy has put in order. */
export function planOf(draft: Draft, strategy: StrategyName, waves: Waves): Plan {
  const { kind, target, standing } = draft.scene;
  return {
    kind,
    project: target.project,
    ...(standing.current === undefined ? {} : { from: standing.current.release }),
    to: target.number,
    strategy,
    warnings: warningsOf(draft),
    unchanged: isUnchanged(draft),
    waves: waves.filter((wave) => wave.length > 0),
  };
}
