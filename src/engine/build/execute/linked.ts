import { keyOf } from '../plan/key.ts';
import type { Step } from '../plan/plan.ts';
import { namesOwner, resolveOwner } from './owner.ts';
import type { Session } from './session.ts';
import type { StageResult } from './stage-result.ts';

/** COPY --link and ADD --link: the layer stands by itself, whatever is below it (Dockerfile reference: COPY --link). */
export function isLinked({ action }: Step): boolean {
  return action.kind === 'copy' && action.isLinked;
}

/** What the result of a step depends on of the state before: all of it, but for a linked step an owner's numbers at most. */
export async function ground(session: Session, state: StageResult, step: Step): Promise<string> {
  const { action } = step;
  if (action.kind !== 'copy' || !action.isLinked) return state.key;
  if (action.chown === undefined || !namesOwner(action.chown)) return keyOf('linked');
  await using base = await session.workshop.mounts.root(state.layers.map(({ directory }) => directory));
  const { uid, gid } = await resolveOwner(base.path, action.chown);
  return keyOf('linked', `${uid}:${gid}`);
}
