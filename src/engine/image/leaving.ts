import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { removeTrees, shortName } from './places.ts';

/**
 * Removes small folders that nobody needs in the background, many of them by one program: to remove one can take longer
 * than all else that a build step does, where the file system waits for the disk. A crash leaves them to the sweep.
 */
export interface Leaving {
  /** It is out of sight at once. */
  take(path: string): void;
  close(): Promise<void>;
}

const QUIET_MS = 1_000;
const MOST = 500;

/** @param o.directory on the same file system */
export function createLeaving(o: { readonly directory: string; readonly log: Log }): Leaving {
  let pending: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const start = (): Promise<void> => {
    clearTimeout(timer);
    const batch = pending;
    pending = [];
    running = running
      .then(() => removeTrees(batch))
      .catch((error: unknown) => o.log.warn({ error: messageOf(error) }, 'leftovers of layers cannot be removed yet'));
    return running;
  };
  return {
    take(path) {
      const away = join(o.directory, shortName());
      renameSync(path, away);
      pending.push(away);
      clearTimeout(timer);
      if (pending.length >= MOST) void start();
      else timer = setTimeout(() => void start(), QUIET_MS).unref();
    },
    close: start,
  };
}
