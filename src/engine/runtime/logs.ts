import { watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { systemCodeOf } from '../../lib/errors.ts';
import { isUp, type Entry, type Moment } from './containers.ts';
import type { LogsOptions, OutputPiece } from './face.ts';
import { logFiles, nextLogFile, type LogFile } from './log-files.ts';
import { type LogBatch, scanLog, SPAN, streamIn, timeIn } from './log-format.ts';
import { tailOffset } from './log-tail.ts';

const CHUNK_BYTES = 256 * 1024;

export interface ReadOptions extends LogsOptions {
  /** Where to begin; absent: by `tail`. */
  readonly offset?: number;
  /** With `follow`: goes on while the container is not up yet, until it ends once. */
  readonly awaitStart?: boolean;
}

/** A container's output as its log has it, line by line; with `follow` until it ends. */
export async function* readLogs(entry: Entry, o: ReadOptions): AsyncGenerator<OutputPiece> {
  for await (const batch of readLogBatches(entry, o)) {
    for (let at = 0; at < batch.spans.length; at += SPAN) yield pieceOf(batch, { from: at, to: at + SPAN });
  }
}

/** Like `readLogs`, by larger pieces: lines of one stream that follow each other are one. */
export async function* readOutput(entry: Entry, o: ReadOptions): AsyncGenerator<OutputPiece> {
  for await (const batch of readLogBatches(entry, o)) {
    const { spans } = batch;
    for (let from = 0, to = SPAN; from < spans.length; from = to, to += SPAN) {
      while (to < spans.length && spans[to] === spans[from]) to += SPAN;
      yield pieceOf(batch, { from, to });
    }
  }
}

/** The records between two places of `spans`, all of one stream. */
function pieceOf(batch: LogBatch, { from, to }: { readonly from: number; readonly to: number }): OutputPiece {
  const { bytes, spans } = batch;
  const parts: Buffer[] = [];
  for (let at = from; at < to; at += SPAN) parts.push(bytes.subarray(spans[at + 2], spans[at + 3]));
  const data = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  return { stream: streamIn(batch, from), at: timeIn(batch, from), data };
}

/** What a log has, as it is read: many lines at once. */
export async function* readLogBatches(entry: Entry, o: ReadOptions): AsyncGenerator<LogBatch> {
  const wakeup = o.follow ? followEnd(entry, o) : undefined;
  try {
    let at = await beginning(entry.paths.log, o, wakeup);
    while (at !== undefined) at = yield* batches({ log: entry.paths.log, at, wakeup }, o);
  } finally {
    wakeup?.close();
  }
}

interface Reading {
  /** The current file's path. */
  readonly log: string;
  readonly at: Place;
  readonly wakeup: Wakeup | undefined;
}

interface Place {
  readonly path: string;
  readonly offset: number;
}

/** What is wanted of one file. @returns where to go on: the beginning of the next one, or nowhere */
async function* batches({ log, at, wakeup }: Reading, o: ReadOptions): AsyncGenerator<LogBatch, Place | undefined> {
  const file = await openThere(at.path);
  if (file === undefined) return undefined;
  await using _closing = file;
  const { ino } = await file.stat();
  let { offset } = at;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let carry: Buffer = Buffer.alloc(0);
  while (!o.signal?.aborted) {
    const next = wakeup?.next(); // before reading: what is written afterwards wakes us
    const ended = wakeup?.ended() ?? true;
    const newer = await nextLogFile(log, ino); // before reading, too: once there is one, nothing is added here
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) {
      if (newer !== undefined) return { path: newer.path, offset: 0 };
      if (ended) return undefined;
      await next;
      continue;
    }
    offset += bytesRead;
    const scanned = scanLog(Buffer.concat([carry, buffer.subarray(0, bytesRead)]));
    carry = scanned.bytes.subarray(scanned.consumed);
    const { spans, isOver } = wantedSpans(scanned, o);
    if (spans.length > 0) yield { bytes: scanned.bytes, spans };
    if (isOver) return undefined;
  }
  return undefined;
}

/** `isOver`: the first record is there that is too late. */
function wantedSpans(batch: LogBatch, o: LogsOptions): { readonly spans: readonly number[]; readonly isOver: boolean } {
  const { since, until } = o;
  if (o.stdout && o.stderr && since === undefined && until === undefined) return { spans: batch.spans, isOver: false };
  const spans: number[] = [];
  for (let from = 0; from < batch.spans.length; from += SPAN) {
    const at = since === undefined && until === undefined ? undefined : timeIn(batch, from);
    if (at !== undefined && until !== undefined && at > until) return { spans, isOver: true };
    if (isWanted({ stream: streamIn(batch, from), at }, o)) spans.push(...batch.spans.slice(from, from + SPAN));
  }
  return { spans, isOver: false };
}

interface Wanted {
  readonly stream: 'stdout' | 'stderr';
  /** Undefined where no time matters. */
  readonly at: Date | undefined;
}

function isWanted({ stream, at }: Wanted, o: LogsOptions): boolean {
  return o[stream] && (o.since === undefined || at === undefined || at >= o.since);
}

/** The log appears with the first start; a follower waits for it. */
async function beginning(log: string, o: ReadOptions, wakeup: Wakeup | undefined): Promise<Place | undefined> {
  for (;;) {
    const next = wakeup?.next();
    const ended = wakeup?.ended() ?? true;
    const files = await logFiles(log);
    if (files.length > 0) return placeIn(files, o);
    if (ended) return undefined;
    await next;
  }
}

async function placeIn(files: readonly LogFile[], o: ReadOptions): Promise<Place> {
  const current = files.at(-1)!;
  if (o.offset !== undefined) return { path: current.path, offset: o.offset > current.size ? 0 : o.offset };
  if (o.tail === undefined) return { path: files[0]!.path, offset: 0 };
  let place: Place = { path: current.path, offset: current.size };
  let lines = o.tail;
  for (const { path, size } of files.toReversed()) {
    await using file = await open(path, 'r');
    const found = await tailOffset(file, { size, lines, wants: (record) => isWanted(record, o) });
    place = { path, offset: found.offset };
    lines -= found.lines;
    if (lines <= 0) break;
  }
  return place;
}

/** Undefined where it was rotated away since it was looked for. */
async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
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
