import { availableParallelism } from 'node:os';
import { type SharedRows, sharedRows } from '../../../lib/shared-rows.ts';
import { runInThread } from '../../../lib/thread.ts';

const FILES_PER_CELL = 32;
const DIGEST_BYTES = 32;
const MOST_THREADS = 4;

/**
 * SHA-256 of the contents of regular files, as hexadecimal digits, in their order. Links are not followed.
 * @param paths byte strings
 */
export async function digestInThreads(paths: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
  const files = sharedRows(
    paths.map((path) => [path]),
    FILES_PER_CELL,
  );
  const digests = new Uint8Array(new SharedArrayBuffer(DIGEST_BYTES * paths.length));
  const next = new Int32Array(new SharedArrayBuffer(4));
  const work = { files, digests, next, filesPerCell: FILES_PER_CELL };
  const threads = Math.min(MOST_THREADS, availableParallelism(), files.cells.length - 1);
  const failure = new AbortController(); // of one: the others end
  const both = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  const works = Array.from({ length: threads }, () => runInThread(digestFiles, work, both));
  for (const each of works) each.catch((error: unknown) => failure.abort(error));
  await Promise.all(works);
  const all = Buffer.from(digests.buffer).toString('hex');
  return paths.map((_, index) => all.slice(2 * DIGEST_BYTES * index, 2 * DIGEST_BYTES * (index + 1)));
}

interface DigestWork {
  /** Paths. */
  readonly files: SharedRows;
  readonly digests: Uint8Array;
  /** The first cell that no thread has begun. */
  readonly next: Int32Array;
  readonly filesPerCell: number;
}

/** Passed on as its text: see `runInThread`. */
function digestFiles({ files, digests, next, filesPerCell }: DigestWork): void {
  const fs = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const rows = Buffer.from(files.bytes.buffer as ArrayBuffer);
  const digestOf = (path: string): Buffer => {
    const isText = Buffer.byteLength(path) === path.length;
    const file = fs.openSync(isText ? path : Buffer.from(path, 'latin1'), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const hash = createHash('sha256');
      for (let length = fs.readSync(file, buffer); length > 0; length = fs.readSync(file, buffer))
        hash.update(buffer.subarray(0, length));
      return hash.digest();
    } finally {
      fs.closeSync(file);
    }
  };
  for (let cell = Atomics.add(next, 0, 1); cell + 1 < files.cells.length; cell = Atomics.add(next, 0, 1)) {
    const paths = rows.toString('latin1', files.cells[cell], files.cells[cell + 1]).split('\0');
    for (const [at, path] of paths.slice(0, -1).entries()) digests.set(digestOf(path), 32 * (cell * filesPerCell + at));
  }
}
