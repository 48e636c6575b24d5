import { setTimeout as delay } from 'node:timers/promises';

/** Polls until `condition` gives something truthy, and gives that; fails with `what` at the deadline. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: { readonly timeoutMs: number; readonly what: string; readonly intervalMs?: number },
): Promise<NonNullable<T>> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() >= deadline) throw new Error(`not within ${options.timeoutMs} ms: ${options.what}`);
    await delay(options.intervalMs ?? 20);
  }
}
