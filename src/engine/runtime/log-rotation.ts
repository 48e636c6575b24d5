import { constants, watch, type FSWatcher } from 'node:fs';
import { link, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { LogDriver } from './container.ts';
import { exclusively, isUp, type Entry } from './containers.ts';
import { rotatedPath } from './log-files.ts';
import { splitLog } from './split-log.ts';

/** A container that writes much is looked at so often. */
const CHECK_MS = 100;
/** conmon opens a new file within milliseconds; on a machine that is out of breath, later. */
const REOPEN_MS = 5_000;
/** A file that is only so much larger than asked is left as it is. */
const TOLERANCE = 1.5;
const LF = 0x0a;
/** With the driver `none` the log serves those who are attached: this much of it. */
const UNLOGGED: Limits = { maxSizeBytes: 16 * 1024 * 1024, maxFiles: 1 };

interface Limits {
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
}

interface Watch {
  readonly limits: Limits;
  readonly watcher: FSWatcher;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Keeps logs as small as their drivers say. The current file gets a second name, and conmon is told to open a new one;
 * what has grown too large meanwhile, also while we were away, is cut into files of the size that was asked.
 */
export class LogRotation {
  readonly #watches = new Map<string, Watch>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The container runs now. */
  begin(entry: Entry): void {
    const limits = limitsOf(entry.spec.logDriver);
    if (limits === undefined) return;
    this.end(entry);
    const watcher = watch(entry.paths.directory, () => this.#wake(entry));
    watcher.on('error', () => {}); // the folder goes with its container
    this.#watches.set(entry.id, { limits, watcher, timer: undefined });
    this.#wake(entry);
  }

  /** It does not run any more, or is not ours any more. */
  end(entry: Pick<Entry, 'id'>): void {
    const found = this.#watches.get(entry.id);
    found?.watcher.close();
    clearTimeout(found?.timer);
    this.#watches.delete(entry.id);
  }

  close(): void {
    for (const id of this.#watches.keys()) this.end({ id });
  }

  #wake(entry: Entry): void {
    const found = this.#watches.get(entry.id);
    if (found === undefined || found.timer !== undefined) return;
    found.timer = setTimeout(() => {
      rotateWhereDue(entry, found.limits)
        .catch((error: unknown) =>
          this.#log.warn({ container: entry.id, error: messageOf(error) }, 'a log was not rotated'),
        )
        .finally(() => {
          found.timer = undefined;
        });
    }, CHECK_MS);
    found.timer.unref();
  }
}

function limitsOf({ type, maxSizeBytes, maxFiles }: LogDriver): Limits | undefined {
  if (type === 'none') return UNLOGGED;
  return maxSizeBytes === undefined ? undefined : { maxSizeBytes, maxFiles: maxFiles ?? 1 };
}

/** At the end of a container: what it wrote last. Called with its operations locked out. */
export async function rotateAtEnd(entry: Entry): Promise<void> {
  const limits = limitsOf(entry.spec.logDriver);
  if (limits !== undefined && (await isDue(entry, limits))) await rotate(entry, limits, { isRunning: false });
}

async function rotateWhereDue(entry: Entry, limits: Limits): Promise<void> {
  if (!(await isDue(entry, limits))) return;
  await exclusively(entry, async () => {
    if (isUp(entry) && (await isDue(entry, limits))) await rotate(entry, limits, { isRunning: true });
  });
}

async function isDue(entry: Entry, limits: Limits): Promise<boolean> {
  return (await sizeOf(entry.paths.log)) >= limits.maxSizeBytes;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** At every moment, also after a crash, all that is kept can be read: readers know a file by its inode. */
async function rotate(entry: Entry, limits: Limits, { isRunning }: { readonly isRunning: boolean }): Promise<void> {
  const { log, control } = entry.paths;
  await moveOn(log, { from: 1, by: 1, limits });
  await rm(rotatedPath(log, 1), { force: true });
  await link(log, rotatedPath(log, 1));
  if (!isRunning) await rename(await emptied(log), log);
  else if (!(await reopened(log, control))) return;
  if ((await sizeOf(rotatedPath(log, 1))) > limits.maxSizeBytes * TOLERANCE) await split(log, limits);
}

/** At least one older file is kept: a log that has just been emptied tells nothing. */
function mostOlder({ maxFiles }: Limits): number {
  return Math.max(1, maxFiles - 1);
}

async function moveOn(
  log: string,
  { from, by, limits }: { readonly from: number; readonly by: number; readonly limits: Limits },
): Promise<void> {
  for (let number = mostOlder(limits) - by; number >= from; number--) {
    await rename(rotatedPath(log, number), rotatedPath(log, number + by)).catch(() => {}); // there may be fewer
  }
}

async function emptied(log: string): Promise<string> {
  await writeFile(`${log}.tmp`, '', { mode: 0o640 });
  return `${log}.tmp`;
}

const REOPEN_LOG = '2 0 0\n';

/** Tells conmon by its fifo, and waits until the file has changed. False where conmon does not: it is about to end. */
async function reopened(log: string, control: string): Promise<boolean> {
  const before = (await stat(log)).ino;
  const fifo = await open(control, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (fifo === undefined) return false;
  try {
    await fifo.write(REOPEN_LOG);
  } finally {
    await fifo.close();
  }
  const deadline = performance.now() + REOPEN_MS;
  while (performance.now() < deadline) {
    if ((await stat(log)).ino !== before) return true;
    await delay(5);
  }
  return false;
}

/** What was written faster than we looked becomes files of the size that was asked; the oldest are dropped. */
async function split(log: string, limits: Limits): Promise<void> {
  const most = mostOlder(limits);
  const text = await lastBytes(rotatedPath(log, 1), most * limits.maxSizeBytes);
  const pieces = splitLog(text, limits.maxSizeBytes).slice(-most);
  await moveOn(log, { from: 2, by: pieces.length - 1, limits });
  for (const [index, piece] of pieces.entries()) {
    await writeFile(`${log}.tmp`, piece, { mode: 0o640 });
    await rename(`${log}.tmp`, rotatedPath(log, pieces.length - index));
  }
}

/** From the beginning of a line. */
async function lastBytes(path: string, count: number): Promise<Buffer> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, count));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
  const text = buffer.subarray(0, bytesRead);
  return size > count ? text.subarray(text.indexOf(LF) + 1) : text;
}
