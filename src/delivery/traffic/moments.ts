import type { Moved } from './traffic.ts';

/** Milliseconds since 1970, to the microsecond. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Work that moves traffic somewhere in between. */
export async function timed(work: () => Promise<unknown>): Promise<Moved> {
  const fromMs = nowMs();
  await work();
  return { fromMs, untilMs: nowMs() };
}
