import { setTimeout as delay } from 'node:timers/promises';

/** Ends early when the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(1, ms), undefined, { signal, ref: false }).catch(() => {});
}
