import type { HealthcheckConfig } from '../../lib/oci/index.ts';
import type { Health, HealthEntry } from './container.ts';

/** A container's check with Docker's defaults filled in; times in milliseconds. */
export interface HealthPlan {
  readonly args: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

const NS_PER_MS = 1e6;
const KEPT_ENTRIES = 5;
export const KEPT_OUTPUT_BYTES = 4_096;
export const TIMED_OUT = -1;

/** Undefined: the container has no check. */
export function planHealth(check: HealthcheckConfig | undefined, shell: readonly string[]): HealthPlan | undefined {
  const [kind, ...rest] = check?.Test ?? [];
  if (check === undefined || kind === undefined || kind === 'NONE' || rest.length === 0) return undefined;
  return {
    args: kind === 'CMD-SHELL' ? [...shell, rest.join(' ')] : rest,
    intervalMs: milliseconds(check.Interval, 30_000),
    timeoutMs: milliseconds(check.Timeout, 30_000),
    startPeriodMs: milliseconds(check.StartPeriod, 0),
    startIntervalMs: milliseconds(check.StartInterval, 5_000),
    retries: check.Retries || 3,
  };
}

export const STARTING: Health = { status: 'starting', failingStreak: 0, log: [] };

/** The health after a check. In the start period failures do not count, and one success ends it. */
export function nextHealth(health: Health, entry: HealthEntry, o: { retries: number; inStartPeriod: boolean }): Health {
  const log = [...health.log, entry].slice(-KEPT_ENTRIES);
  if (entry.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (o.inStartPeriod && health.status === 'starting') return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= o.retries ? 'unhealthy' : health.status, failingStreak, log };
}

/** How long until the next check. */
export function nextDelayMs(plan: HealthPlan, o: { health: Health; ranMs: number }): number {
  return o.health.status === 'starting' && o.ranMs < plan.startPeriodMs
    ? Math.min(plan.startIntervalMs, plan.intervalMs)
    : plan.intervalMs;
}

function milliseconds(nanoseconds: number | undefined, otherwise: number): number {
  return nanoseconds ? Math.max(1, nanoseconds / NS_PER_MS) : otherwise;
}
