import { watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { systemCodeOf } from '../../lib/errors.ts';
import { isUp, type Entry, type Moment } from './containers.ts';
import type { LogsOptions, OutputPiece } from './face.ts';
import { parseLog, type LogRecord } from './log-format.ts';
import { tailOffset } from './log-tail.ts';

const CHUNK_BYTES = 256 * 1024;

export interface ReadOptions extends LogsOptions {
  /** Where to begin; absent: by `tail`. */
  readonly offset?: number;
  /** With `follow`: goes on while the container is not up yet, until it ends once. */
  readonly awaitStart?: boolean;
}

/** A container's output from its log; with `follow` until it ends. */
export async function* readLogs(entry: Entry, o: ReadOptions): AsyncGenerator<OutputPiece> {
  const wakeup = o.follow ? followEnd(entry, o) : undefined;
  const file = await openLog(entry, wakeup);
  try {
    if (file === undefined) return;
    yield* pieces(file, o, wakeup);
  } finally {
    wakeup?.close();
    await file?.close();
  }
}

async function* pieces(file: FileHandle, o: ReadOptions, wakeup: Wakeup | undefined): AsyncGenerator<OutputPiece> {
  const wants = (record: LogRecord): boolean => isWanted(record, o);
  let offset =
    o.offset ?? (o.tail === undefined ? 0 : await tailOffset(file, { ...(await sized(file)), lines: o.tail, wants }));
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let carry = Buffer.alloc(0);
  while (!o.signal?.aborted) {
    const next = wakeup?.next(); // before reading: what is written afterwards wakes us
    const ended = wakeup?.ended() ?? true;
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) {
      if (ended) return;
      await next;
      continue;
    }
    offset += bytesRead;
    const data = Buffer.concat([carry, buffer.subarray(0, bytesRead)]);
    const { records, consumed } = parseLog(data);
    carry = data.subarray(consumed);
    for (const record of records) {
      if (o.until !== undefined && record.at > o.until) return;
      if (wants(record)) yield { stream: record.stream, at: record.at, data: record.data };
    }
  }
}

function isWanted(record: LogRecord, o: LogsOptions): boolean {
  return o[record.stream] && (o.since === undefined || record.at >= o.since);
}

async function sized(file: FileHandle): Promise<{ readonly size: number }> {
  return { size: (await file.stat()).size };
}

/** The log appears with the first start; a follower waits for it. */
async function openLog(entry: Entry, wakeup: Wakeup | undefined): Promise<FileHandle | undefined> {
  for (;;) {
    const next = wakeup?.next();
    const ended = wakeup?.ended() ?? true;
    try {
      return await open(entry.paths.log, 'r');
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      if (ended) return undefined;
      await next;
    }
  }
}

interface Wakeup {
  /** Nothing more will be written. */
  ended(): boolean;
  /** Resolves when there may be something new. */
  next(): Promise<void>;
  close(): void;
}

/** Wakes on writes to the container's folder and on what happens to it. conmon has written all when it tells the end. */
function followEnd(entry: Entry, o: ReadOptions): Wakeup {
  let pending = Promise.withResolvers<void>();
  let over = !(o.awaitStart ?? false) && !isUp(entry) && entry.state.status !== 'restarting';
  const wake = (): void => {
    pending.resolve();
    pending = Promise.withResolvers<void>();
  };
  const listener = (moment: Moment): void => {
    if (moment === 'removed' || (moment === 'exited' && entry.state.status !== 'restarting')) over = true;
    wake();
  };
  const abort = (): void => {
    over = true;
    wake();
  };
  entry.listeners.add(listener);
  o.signal?.addEventListener('abort', abort);
  const watcher = watch(entry.paths.directory, wake);
  watcher.on('error', wake);
  return {
    ended: () => over,
    next: () => pending.promise,
    close: () => {
      watcher.close();
      entry.listeners.delete(listener);
      o.signal?.removeEventListener('abort', abort);
    },
  };
}
