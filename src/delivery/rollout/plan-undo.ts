import type { Plan } from './plan.ts';
import { inverseOf, type Step } from './step.ts';

/**
 * The wave from which on a plan only goes forward: the one that sets the new standing. Rollouts that take away
 * (`down`, `retire`) only go forward from their beginning.
 */
export function pointOfNoReturn(plan: Pick<Plan, 'kind' | 'waves'>): number {
  if (plan.kind === 'down' || plan.kind === 'retire') return 0;
  const decisive = plan.waves.findIndex((wave) => wave.some(({ kind }) => kind === 'set-standing'));
  return decisive === -1 ? plan.waves.length : decisive;
}

/** The last moment at which the user may still cancel: before the wave that moves traffic. */
export function cancellableUntil(plan: Pick<Plan, 'kind' | 'waves'>): number {
  const end = pointOfNoReturn(plan);
  const before = plan.waves.slice(0, end);
  const isSwitch = (wave: readonly Step[]): boolean =>
    wave.some(({ kind }) => kind === 'switch-routes' || kind === 'switch-tcp');
  const last = before.findLastIndex(isSwitch);
  return last === -1 ? end : last;
}

/** What takes back everything that was begun, the last first. `begun` says of each step whether it was. */
export function undoWaves(
  waves: readonly (readonly Step[])[],
  begun: (wave: number, index: number) => boolean,
): readonly (readonly Step[])[] {
  const taken = waves.map((wave, number) =>
    wave.flatMap((each, index) => {
      const inverse = begun(number, index) ? inverseOf(each) : undefined;
      return inverse === undefined ? [] : [inverse];
    }),
  );
  const undo = taken.toReversed().filter((wave) => wave.length > 0);
  return undo.length === 0 ? [] : [...undo, [{ kind: 'refresh-traffic', cause: 'addresses may have changed' }]];
}
