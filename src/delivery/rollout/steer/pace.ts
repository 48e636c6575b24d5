/** How often something may happen: so many times at once, and one time more after each `refillMs`. */
export interface Pace {
  readonly burst: number;
  readonly refillMs: number;
}

/** What is left of a pace at one moment. */
export interface Allowance {
  readonly left: number;
  readonly atMs: number;
}

export function fullAllowance({ burst }: Pace, atMs: number): Allowance {
  return { left: burst, atMs };
}

/** Takes one; where none is left, `waitMs` says how long the taker must wait for it. */
export function take(
  { burst, refillMs }: Pace,
  { left, atMs }: Allowance,
  nowMs: number,
): { readonly allowance: Allowance; readonly waitMs: number } {
  const refilled = Math.min(burst, left + Math.max(0, nowMs - atMs) / refillMs);
  const after = refilled - 1;
  return { allowance: { left: after, atMs: nowMs }, waitMs: after >= 0 ? 0 : Math.ceil(-after * refillMs) };
}
