import { setTimeout as delay } from 'node:timers/promises';
import type { RolloutStatus } from '../views.ts';
import type { Parts } from '../parts.ts';
import type { Changes } from './changes.ts';
import { fullAllowance, type Pace, take } from './pace.ts';
import { rolloutStatus, statusOf } from './status.ts';

/** Every change of state, though it lasts a moment only; lasting noise is kept down. */
const PACE: Pace = { burst: 10, refillMs: 200 };
/** Numbers alone: at most so often. Anything: at least so often. */
const CLOSEST_MS = 200;
const LONGEST_MS = 1_000;

/** The status at each change and at least each second, until that rollout has ended or the signal fires. */
export async function* watchRollout(
  parts: Parts,
  project: string,
  given: AbortSignal,
): AsyncGenerator<RolloutStatus, void, undefined> {
  const signal = AbortSignal.any([given, parts.stopping]);
  const { rollout } = rolloutStatus(parts, project);
  const read = (): RolloutStatus | undefined => statusNow(parts, project, rollout);
  let allowance = fullAllowance(PACE, performance.now());
  for (let status = read(); status !== undefined;) {
    yield status;
    if (status.state === 'ended' || signal.aborted) return;
    const news = newsOf(status);
    status = await nextStatus(parts.changes, { project, news, read, signal });
    if (status === undefined || newsOf(status) === news) continue;
    const taken = take(PACE, allowance, performance.now());
    allowance = taken.allowance;
    if (taken.waitMs === 0) continue;
    await delay(taken.waitMs, undefined, { signal }).catch(() => {});
    status = signal.aborted ? undefined : read();
  }
}

/** undefined: another one has begun meanwhile, or it never had a plan: the one that was watched is over. */
function statusNow(parts: Parts, project: string, rollout: number): RolloutStatus | undefined {
  const now = rolloutStatus(parts, project);
  if (now.rollout === rollout) return now;
  const record = parts.journal.find(project, rollout);
  return record === undefined ? undefined : statusOf(parts, record);
}

interface Shown {
  readonly project: string;
  /** Of the status that was shown last. */
  readonly news: string;
  read(): RolloutStatus | undefined;
  readonly signal: AbortSignal;
}

/** A status with news at once, one with other numbers a while after the last; undefined: there will be no more. */
export async function nextStatus(
  changes: Pick<Changes, 'next'>,
  { project, news, read, signal }: Shown,
): Promise<RolloutStatus | undefined> {
  const shownMs = performance.now();
  let dueMs = shownMs + LONGEST_MS;
  for (;;) {
    const status = read(); // before the wait too: it may have changed while the last one was read
    if (status === undefined || newsOf(status) !== news || performance.now() >= dueMs) return status;
    await changes.next(project, { withinMs: Math.max(0, dueMs - performance.now()), signal });
    if (signal.aborted) return undefined;
    dueMs = Math.min(dueMs, shownMs + CLOSEST_MS);
  }
}

/** What is to be seen, even if it lasts a moment only; numbers of requests and times are not. */
export function newsOf({ state, stage, routes, steps }: RolloutStatus): string {
  const weights = [stage?.weight, ...routes.map(({ weight }) => weight)];
  return JSON.stringify([state, stage?.stage, weights, steps.map(({ outcome }) => outcome)]);
}
