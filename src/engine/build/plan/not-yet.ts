import { unsupportedAt } from '../dockerfile/source.ts';
import type { Action } from './plan.ts';
import type { Statement } from '../dockerfile/statement.ts';
import type { StageState } from './stage-state.ts';

/**
 * Refuses what is planned but not executed yet, so that nothing is done by half. Whoever executes a thing removes its
 * line; the file goes with its last line.
 */
export function refuseUnexecuted(state: StageState, { instruction }: Statement, action: Action): void {
  const what = missingIn(action);
  if (what !== undefined) throw unsupportedAt(state.source, instruction.position, what);
}

function missingIn(action: Action): string | undefined {
  if (action.kind === 'run') {
    if (action.security === 'insecure') return 'RUN --security=insecure';
    for (const mount of action.mounts) {
      if (mount.type === 'ssh') return 'RUN --mount=type=ssh';
      if (mount.type === 'bind' && !mount.readOnly) return 'a bind mount with write access';
      if (mount.type === 'bind' && mount.origin.kind === 'named-context') return 'a named context';
      if (mount.type === 'cache' && mount.sharing === 'private') return 'sharing=private of a cache mount';
      if (mount.type === 'cache' && mount.seed !== undefined) return 'a cache mount that begins with files';
    }
  }
  return undefined;
}
