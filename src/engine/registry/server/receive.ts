import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

const MOST_GATHERED_BYTES = 1024 * 1024;
/** So much is brought to the disk at once while more comes: the end of an upload waits for the rest only. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** Whether a file is being synced now: one at a time, or the threads would have nothing else to do. */
export interface SyncTurn {
  isTaken: boolean;
}

export interface Receiving {
  readonly path: string;
  readonly turn: SyncTurn;
  readonly signal: AbortSignal;
  /** Sees each piece before it is written; what it throws ends the transfer. */
  onData(data: Buffer): void;
}

/** Appends what comes to a file. When it breaks off, or is broken off, what has come is in the file. */
export async function receive(body: Readable, o: Receiving): Promise<void> {
  await using file = await open(o.path, 'a');
  const writer = createWriter(file, o.turn);
  const stop = (): void => void body.destroy(o.signal.reason as Error);
  if (o.signal.aborted) stop();
  o.signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const data of body) {
      o.onData(data as Buffer);
      await writer.take(data as Buffer);
    }
  } finally {
    o.signal.removeEventListener('abort', stop);
    await writer.end();
  }
}

/** What comes while something is written is gathered, and written next. */
function createWriter(file: FileHandle, turn: SyncTurn) {
  let pieces: Buffer[] = [];
  let gathered = 0;
  let unsynced = 0;
  let writing: Promise<void> = Promise.resolve();
  let isWriting = false;
  let syncing: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => void (failure ??= { error });
  const write = async (): Promise<void> => {
    isWriting = true;
    try {
      while (pieces.length > 0) {
        const data = Buffer.concat(pieces);
        pieces = [];
        gathered = 0;
        await file.appendFile(data);
        unsynced += data.length;
      }
    } catch (error) {
      fail(error);
    } finally {
      isWriting = false; // in the turn that saw that nothing is left
    }
  };
  const sync = (): void => {
    turn.isTaken = true;
    unsynced = 0;
    syncing = file
      .datasync()
      .catch(fail)
      .finally(() => (turn.isTaken = false));
  };
  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    async take(data: Buffer): Promise<void> {
      pieces.push(data);
      gathered += data.length;
      if (!isWriting) writing = write();
      if (gathered >= MOST_GATHERED_BYTES) await writing;
      check();
      if (unsynced >= SYNC_BYTES && !turn.isTaken) sync();
    },
    async end(): Promise<void> {
      await writing;
      await syncing;
      check();
    },
  };
}
