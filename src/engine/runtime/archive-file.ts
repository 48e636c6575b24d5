import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { systemCodeOf } from '../../lib/errors.ts';
import { type Chunks, release } from './archive-chunks.ts';
import { BLOCK, numberAt, untilZero } from './archive-names.ts';

/** Smaller ones are tar's work. */
const LEAST_BYTES = 1024 * 1024;
const WRITTEN_AT_ONCE = 512 * 1024;
const CHECKSUM = { at: 148, length: 8 } as const;
/** open(2): a handle of the place alone; Node does not name it. */
const O_PATH = 0o10000000;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** A member of an archive that is nothing but a large file in the topmost folder. */
export interface PlainFile {
  /** Bytes without a slash. */
  readonly name: Buffer;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly modifiedAt: number;
}

/** Undefined for whatever is more than that, or has extended headers (POSIX.1-2017, ustar). */
export function plainFileIn(block: Buffer): PlainFile | undefined {
  const isFile = block.length === BLOCK && (block[156] === 0x30 || block[156] === 0);
  if (!isFile || block.toString('latin1', 257, 263) !== 'ustar\0' || block[345] !== 0) return undefined;
  const name = untilZero(block.subarray(0, 100));
  const [size, modifiedAt] = [numberAt(block, 124), numberAt(block, 136)];
  const isPlain = name !== '' && name !== '.' && name !== '..' && !name.includes('/');
  if (!isPlain || size < LEAST_BYTES || modifiedAt > 2 ** 40 || !isWhole(block)) return undefined;
  const [mode, uid, gid] = [numberAt(block, 100, 8) & 0o7777, numberAt(block, 108, 8), numberAt(block, 116, 8)];
  return { name: Buffer.from(name, 'latin1'), size, mode, uid, gid, modifiedAt };
}

function isWhole(block: Buffer): boolean {
  const { at, length } = CHECKSUM;
  const counted = block.reduce((sum, byte, i) => sum + (i >= at && i < at + length ? 0x20 : byte), 0);
  return numberAt(block, at, length) === counted;
}

/**
 * Makes the file anew, as tar does; no link in its place is followed.
 * @returns false, with nothing taken from the source, where a folder is in its place: tar tells what is wrong with that
 */
export async function writePlainFile(directory: FileHandle, file: PlainFile, source: Chunks): Promise<boolean> {
  const place = Buffer.concat([Buffer.from(`/proc/self/fd/${directory.fd}/`), file.name]);
  const former = await hold(place);
  try {
    if (former !== undefined && (await former.stat()).isDirectory()) return false;
    if (former !== undefined) await unlink(place);
    await using made = await open(place, NEW_FILE, 0o600);
    const freed = former?.close(); // a large file takes its time to go
    freed?.catch(() => {});
    await fill(made, file, source);
    await freed;
    return true;
  } finally {
    await former?.close();
  }
}

/** What is there now, without opening it: a device would take notice. It goes with the handle, not when it is unlinked. */
async function hold(place: Buffer): Promise<FileHandle | undefined> {
  try {
    return await open(place, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

async function fill(made: FileHandle, file: PlainFile, source: Chunks): Promise<void> {
  for (let left = file.size; left > 0;) {
    const chunks = await source.some(Math.min(left, WRITTEN_AT_ONCE));
    if (chunks.length === 0) throw new Error('unexpected end of the archive');
    left -= await writeAll(made, chunks);
  }
  await source.exactly((BLOCK - (file.size % BLOCK)) % BLOCK);
  await made.chown(file.uid, file.gid);
  await made.chmod(file.mode);
  await made.utimes(file.modifiedAt, file.modifiedAt);
}

async function writeAll(file: FileHandle, chunks: readonly Buffer[]): Promise<number> {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten < size) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten)); // goes on where it is
  chunks.forEach(release);
  return size;
}
