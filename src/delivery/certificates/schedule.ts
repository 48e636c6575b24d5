/** What is known of a certificate that we get ourselves. */
export interface Attempts {
  /** In a row. */
  readonly failures: number;
  readonly lastFailure?: { readonly atMs: number; readonly reason: string };
  /** When to try (again). */
  readonly nextMs: number;
}

const MINUTE_MS = 60_000;
const LONGEST_MS = 12 * 60 * MINUTE_MS;

/**
 * At two thirds of its life, a little earlier by chance: not all of one day on the same minute. One that came late in
 * its life, by the clock of this machine, is not renewed again at once.
 */
export function renewalMs(
  { notBefore, notAfter }: { readonly notBefore: Date; readonly notAfter: Date },
  { nowMs, chance }: { readonly nowMs: number; readonly chance: number },
): number {
  const [begin, end] = [notBefore.getTime(), notAfter.getTime()];
  const wanted = begin + (end - begin) * (2 / 3 - 0.02 * chance);
  const earliest = nowMs + Math.max(MINUTE_MS, (end - nowMs) / 3);
  return Math.round(Math.max(wanted, earliest));
}

/** After 1, 4, 16 minutes and so on, 12 hours at most, longer by up to a quarter by chance. */
export function afterFailure(
  before: Attempts | undefined,
  o: { readonly nowMs: number; readonly reason: string; readonly chance: number },
): Attempts {
  const failures = (before?.failures ?? 0) + 1;
  const waitMs = Math.min(MINUTE_MS * 4 ** (failures - 1), LONGEST_MS);
  const nextMs = Math.round(o.nowMs + waitMs * (1 + o.chance / 4));
  return { failures, lastFailure: { atMs: o.nowMs, reason: o.reason }, nextMs };
}

/** How long to sleep until the first of these; never longer than an hour, as clocks are set and timers have limits. */
export function sleepMs(nextMs: readonly number[], nowMs: number): number {
  return Math.min(60 * MINUTE_MS, ...nextMs.map((each) => Math.max(0, each - nowMs)));
}
