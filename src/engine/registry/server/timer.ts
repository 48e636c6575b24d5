import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';

/** A registry that was just started has other things to do; one that is started often is collected nevertheless. */
const LONGEST_FIRST_MS = 10 * 60_000;

interface TimerOptions {
  readonly everyMs: number;
  readonly log: Log;
  /** Stops soon when the signal says so. */
  work(signal: AbortSignal): Promise<unknown>;
}

/** Collects again and again, never twice at once. Disposing it ends what runs. */
export function collectAgainAndAgain({ everyMs, log, work }: TimerOptions): AsyncDisposable {
  const stop = new AbortController();
  const { signal } = stop;
  const run = async (): Promise<void> => {
    for (let waitMs = Math.min(everyMs, LONGEST_FIRST_MS); ; waitMs = everyMs) {
      await delay(waitMs, undefined, { ref: false, signal });
      await work(signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn({ error: messageOf(error) }, 'registry: collecting failed; it is tried again');
      });
    }
  };
  const ended = run().catch(() => {}); // it was stopped
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
