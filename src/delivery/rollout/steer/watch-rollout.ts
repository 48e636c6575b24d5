import { setTimeout as delay } from 'node:timers/promises';
import type { RolloutStatus } from '../views.ts';
import type { Parts } from '../parts.ts';
import { rolloutStatus, statusOf } from './status.ts';

/** At most so often, and at least so often. */
const CLOSEST_MS = 200;
const LONGEST_MS = 1_000;

/** The status at each change and at least each second, until that rollout has ended or the signal fires. */
export async function* watchRollout(
  parts: Parts,
  project: string,
  given: AbortSignal,
): AsyncGenerator<RolloutStatus, void, undefined> {
  const signal = AbortSignal.any([given, parts.stopping]);
  let status = rolloutStatus(parts, project);
  const { rollout } = status;
  for (;;) {
    yield status;
    if (status.state === 'ended' || signal.aborted) return;
    const next = parts.changes.next(project, { withinMs: LONGEST_MS, signal });
    await Promise.all([next, delay(CLOSEST_MS, undefined, { signal }).catch(() => {})]);
    if (signal.aborted) return;
    const now = rolloutStatus(parts, project);
    // Another one has begun meanwhile, or it never had a plan: the one that was watched is over.
    const record = now.rollout === rollout ? undefined : parts.journal.find(project, rollout);
    if (now.rollout !== rollout && record === undefined) return;
    status = record === undefined ? now : statusOf(parts, record);
  }
}
