import { setTimeout as delay } from 'node:timers/promises';
import type { Traffic } from '../../traffic/index.ts';
import type { StepOf } from '../plan/step.ts';

const POLL_MS = 50;

/**
 * No new requests for an instance; ends when those that run have ended, or are cut at the deadline. Flows that go past
 * the proxy are counted by nobody: they get all of the time.
 */
export async function drainInstance(
  { lane, instance, deadlineMs }: StepOf<'drain-instance'>,
  { traffic, signal }: { readonly traffic: Traffic; readonly signal: AbortSignal },
): Promise<void> {
  if (lane === undefined) return await delay(deadlineMs, undefined, { signal });
  await traffic.drainInstance(lane, instance);
  const deadline = performance.now() + deadlineMs;
  while ((await sessionsOf(traffic, lane, instance)) > 0) {
    if (performance.now() >= deadline) return await traffic.closeSessions(lane, instance);
    await delay(POLL_MS, undefined, { signal });
  }
}

async function sessionsOf(traffic: Traffic, lane: string, instance: string): Promise<number> {
  const sessions = await traffic.sessions([lane]);
  return sessions.get(lane)?.get(instance) ?? 0;
}
