import { readFileSync } from 'node:fs';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Digest } from '../../lib/oci/index.ts';
import { run } from '../../lib/process.ts';

/**
 * Brings new layers to the disk in the background, all of them with one call. Until then their rows carry the boot
 * id: when a row of an earlier boot is found at open, the layer may have lost content and is verified.
 * Syncing in `seal` itself would cost each build step as much as the step.
 */
export interface Durability {
  /** The present boot; its page cache survives a crash of the daemon. */
  readonly bootId: string;
  /** A new layer is there. */
  note(diffId: Digest): void;
  close(): Promise<void>;
}

const QUIET_MS = 2_000;

export function createDurability(o: {
  readonly directory: string;
  readonly log: Log;
  onSynced(diffIds: readonly Digest[]): void;
}): Durability {
  const pending = new Set<Digest>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const sync = async (): Promise<void> => {
    const batch = [...pending];
    if (batch.length === 0) return;
    const { exitCode, stderr } = await run(['sync', '--file-system', o.directory]);
    if (exitCode !== 0) throw new Error(stderr);
    for (const diffId of batch) pending.delete(diffId);
    o.onSynced(batch);
  };
  const start = (): Promise<void> => {
    running = running
      .then(sync)
      .catch((error: unknown) => o.log.warn({ error: messageOf(error) }, 'layers not synced'));
    return running;
  };
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    note(diffId) {
      pending.add(diffId);
      clearTimeout(timer);
      timer = setTimeout(() => void start(), QUIET_MS).unref();
    },
    async close() {
      clearTimeout(timer);
      await start();
    },
  };
}
