import type { Plan } from './plan.ts';
import { inversesOf } from './inverse.ts';
import type { Step, WeightChange } from './step.ts';

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

/**
 * What takes back everything that was begun, the last first. `begun` says of each step whether it was. Weights that
 * were changed one after the other go back in one act: an abort takes all traffic away at once.
 */
export function undoWaves(
  waves: readonly (readonly Step[])[],
  begun: (wave: number, index: number) => boolean,
): readonly (readonly Step[])[] {
  const done = waves.map((wave, number) => wave.filter((_, index) => begun(number, index)));
  const removedIn = new Map<string, number>();
  for (const [number, wave] of done.entries()) {
    for (const each of wave) if (each.kind === 'remove-instance') removedIn.set(each.instance, number);
  }
  const isGone = (each: Step, number: number): boolean =>
    'instance' in each && (removedIn.get(each.instance) ?? -1) > number;
  const undo = done
    .map((wave, number) => inOrder(wave.filter((each) => !isGone(each, number))))
    .toReversed()
    .flat();
  return undo.length === 0
    ? []
    : [...withJoinedWeights(undo), [{ kind: 'refresh-traffic', cause: 'addresses may have changed' }]];
}

/** The inverses of one wave: first acts side by side, then second ones. */
function inOrder(wave: readonly Step[]): readonly (readonly Step[])[] {
  const inverses = wave.map(inversesOf);
  const length = Math.max(0, ...inverses.map((each) => each.length));
  return Array.from({ length }, (_, at) => inverses.flatMap((each) => each[at] ?? []));
}

/** Nothing stands between them: what the last of them says is all that counts. */
function withJoinedWeights(waves: readonly (readonly Step[])[]): readonly (readonly Step[])[] {
  const joined: (readonly Step[])[] = [];
  for (const wave of waves) {
    const before = joined.at(-1);
    if (before !== undefined && isAllWeights(before) && isAllWeights(wave))
      joined.splice(-1, 1, joinWeights(before, wave));
    else joined.push(wave);
  }
  return joined;
}

function isAllWeights(wave: readonly Step[]): boolean {
  return wave.every(({ kind }) => kind === 'set-weights' || kind === 'set-tcp-weights');
}

function joinWeights(first: readonly Step[], second: readonly Step[]): readonly Step[] {
  const http = new Map<string, WeightChange>();
  const tcp = new Map<string, Extract<Step, { kind: 'set-tcp-weights' }>>();
  for (const each of [...first, ...second]) {
    if (each.kind === 'set-tcp-weights') tcp.set(each.route, { ...each, from: tcp.get(each.route)?.from ?? each.from });
    if (each.kind !== 'set-weights') continue;
    for (const change of each.changes)
      http.set(change.route, { ...change, from: http.get(change.route)?.from ?? change.from });
  }
  const cause = 'undo: all traffic goes back at once';
  const changes = [...http.values()];
  return [...(changes.length === 0 ? [] : [{ kind: 'set-weights' as const, changes, cause }]), ...tcp.values()];
}
