import { setTimeout as sleep } from 'node:timers/promises';

export interface RetryLimits {
  readonly attempts: number;
  /** Of the first wait; each next is twice as long. */
  readonly firstDelayMs: number;
}

const LONGEST_MS = 15_000;
const LONGEST_TOLD_MS = 60_000;

/** How long to wait before the next attempt: with chance, so that many clients do not come at the same moment. */
export function delayOf(
  attempt: number,
  o: { firstDelayMs: number; random: number; toldMs: number | undefined },
): number {
  if (o.toldMs !== undefined) return Math.min(o.toldMs, LONGEST_TOLD_MS);
  return Math.min(o.firstDelayMs * 2 ** (attempt - 1), LONGEST_MS) * (0.5 + o.random / 2);
}

/** `Retry-After` (RFC 9110, section 10.2.3) in milliseconds. */
export function retryAfterOf(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

/** @param attempt the one that failed, from 1 */
export async function waitToRetry(
  attempt: number,
  o: { firstDelayMs: number; toldMs?: number | undefined; signal?: AbortSignal | undefined },
): Promise<void> {
  const delayMs = delayOf(attempt, { firstDelayMs: o.firstDelayMs, random: Math.random(), toldMs: o.toldMs });
  await sleep(delayMs, undefined, o.signal === undefined ? {} : { signal: o.signal });
}
