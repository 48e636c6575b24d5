import type { Log } from '../../lib/log.ts';
import { watchProxy, type Watch } from './haproxy/watch.ts';

/** Looks after a proxy that is not our child. */
export interface Keeper {
  watch(): void;
  /** Until the next `watch()`. */
  pause(): void;
  /** For good. */
  stop(): void;
}

export interface KeeperOptions {
  readonly socketPath: string;
  readonly log: Log;
  /** Starts the proxy when it does not run; ends with a call of `watch()`. */
  ensure(): Promise<void>;
}

/** It is the front door: nothing is gained by a longer wait. */
const RESTART_DELAYS_MS = [0, 100, 500, 1_000];
/** One that has served for so long dies of something new. */
const STEADY_MS = 5_000;

/** Starts the proxy again when it dies while we live; more and more slowly when it keeps dying. */
export function createKeeper({ socketPath, log, ensure }: KeeperOptions): Keeper {
  let watch: Watch | undefined;
  let isStopped = false;
  let attempt = 0;
  let timer: NodeJS.Timeout | undefined;
  let watchedSince = 0;

  const pause = (): void => {
    watch?.stop();
    watch = undefined;
    clearTimeout(timer);
  };
  const onEnd = (): void => {
    watch = undefined;
    if (isStopped) return;
    if (performance.now() - watchedSince > STEADY_MS) attempt = 0;
    const delayMs = RESTART_DELAYS_MS[Math.min(attempt++, RESTART_DELAYS_MS.length - 1)] ?? 0;
    timer = setTimeout(() => {
      ensure().catch((error: unknown) => {
        log.error({ error }, 'the proxy could not be started');
        onEnd();
      });
    }, delayMs);
    log.warn({ delayMs }, 'lost the proxy: looking after it');
  };
  return {
    watch() {
      if (watch !== undefined || isStopped) return;
      watchedSince = performance.now();
      watch = watchProxy(socketPath, onEnd);
    },
    pause,
    stop() {
      isStopped = true;
      pause();
    },
  };
}
