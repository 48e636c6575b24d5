import type { RestartPolicy } from './container.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** Having run so long, a container counts as well: the next delay is the first again. */
const STEADY_MS = 10_000;

export interface Ended {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  /** A user stopped it. */
  readonly stoppedByUser: boolean;
  /** Restarts so far. */
  readonly restartCount: number;
  readonly ranMs: number;
  /** The delay before the start that has just ended; 0: a user's start. */
  readonly lastDelayMs: number;
}

/** How long to wait before the restart, or undefined: it stays ended. Docker's rules. */
export function planRestart(ended: Ended): number | undefined {
  if (!wantsRestart(ended)) return undefined;
  if (ended.ranMs >= STEADY_MS || ended.lastDelayMs === 0) return FIRST_DELAY_MS;
  return Math.min(ended.lastDelayMs * 2, LONGEST_DELAY_MS);
}

function wantsRestart({ policy, exitCode, stoppedByUser, restartCount }: Ended): boolean {
  if (stoppedByUser) return false;
  switch (policy.name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (policy.maximumRetryCount <= 0 || restartCount < policy.maximumRetryCount);
    case 'no':
      return false;
  }
}

/** Whether a container that does not run is started when the daemon (or the machine) starts, as Docker does. */
export function startsAtBoot(o: {
  readonly policy: RestartPolicy;
  readonly wasRunning: boolean;
  readonly stoppedByUser: boolean;
  readonly exitCode: number;
}): boolean {
  switch (o.policy.name) {
    case 'always':
      return o.wasRunning || o.stoppedByUser;
    case 'unless-stopped':
      return o.wasRunning && !o.stoppedByUser;
    case 'on-failure':
      return o.wasRunning && o.exitCode !== 0;
    case 'no':
      return false;
  }
}
