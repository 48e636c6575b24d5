import type { ObservedInstance } from '../../fleet/index.ts';

export type Judgement =
  | { readonly verdict: 'fit' }
  | { readonly verdict: 'waiting'; readonly reason: string }
  | { readonly verdict: 'failed'; readonly reason: string };

/** A crash loop: so many restarts, or a few of them in some time (one that waits for another may crash at first). */
const CRASHES = 5;
const FEW_CRASHES = 3;
const FEW_CRASHES_MS = 3_000;
/** Without a health check it must have run so long. */
const STEADY_MS = 1_000;

export interface Circumstances {
  /** It may end with success instead of running on. */
  readonly mayExit: boolean;
  /** Since when it has been watched. */
  readonly waitedMs: number;
  /** With which code it ended last, as far as that was seen. */
  readonly lastExitCode: number | undefined;
  readonly now: Date;
}

/** Is a new instance fit for traffic, not yet, or never? */
export function judgeHealth(seen: ObservedInstance, o: Circumstances): Judgement {
  const ending = `exit code ${seen.exitCode}${seen.oomKilled ? ', out of memory' : ''}`;
  if (seen.restarts >= CRASHES || (seen.restarts >= FEW_CRASHES && o.waitedMs >= FEW_CRASHES_MS))
    return { verdict: 'failed', reason: `it crashes again and again ${restartsOf(seen, o)}` };
  switch (seen.state) {
    case 'running':
      return judgeRunning(seen, o.now);
    case 'exited':
      if (o.mayExit && seen.exitCode === 0) return { verdict: 'fit' };
      return {
        verdict: 'failed',
        reason: `it ended with ${ending}${seen.error === undefined ? '' : `: ${seen.error}`}`,
      };
    case 'dead':
    case 'removing':
      return { verdict: 'failed', reason: `it is ${seen.state}` };
    case 'restarting':
      return { verdict: 'waiting', reason: `it is restarting ${restartsOf(seen, o)}` };
    default:
      return { verdict: 'waiting', reason: `it is ${seen.state}` };
  }
}

function restartsOf(seen: ObservedInstance, o: Circumstances): string {
  const code = seen.exitCode ?? o.lastExitCode;
  return `(${seen.restarts} restarts${code === undefined ? '' : `, exit code ${code}`})`;
}

function judgeRunning(seen: ObservedInstance, now: Date): Judgement {
  switch (seen.health) {
    case 'healthy':
      return { verdict: 'fit' };
    case 'unhealthy':
      return { verdict: 'failed', reason: 'its health check says unhealthy' };
    case 'starting':
      return { verdict: 'waiting', reason: 'its health check has not succeeded' };
    case 'none': {
      const runsMs = seen.startedAt === undefined ? 0 : now.getTime() - seen.startedAt.getTime();
      return runsMs >= STEADY_MS ? { verdict: 'fit' } : { verdict: 'waiting', reason: 'it does not run steadily' };
    }
  }
}
