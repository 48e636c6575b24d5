import type { SharedRows } from '../../lib/shared-rows.ts';

/** What the threads of `fillAndDigest` do. Each function is passed on as its text: see `runInThread`. */

/** One new file, for the thread that makes it. Paths are on this host. Its row has these fields in this order. */
export interface MadeFile {
  readonly how: 'copy' | 'link' | 'symlink';
  /** What is copied or linked; the target of a symbolic link. */
  readonly from: string;
  readonly to: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Index of the file that must be there before; -1 for none. */
  readonly after: number;
}

export interface MakeWork {
  /** Of `MadeFile`. */
  readonly files: SharedRows;
  /** One cell for so many files: 1 when they are there. */
  readonly progress: Int32Array;
  readonly filesPerCell: number;
  /** This thread's first cell, and how many threads there are. */
  readonly first: number;
  readonly threads: number;
}

/** Makes every `threads`-th lot of files, in their order. @throws Error with code `SOURCE_CHANGED` */
export function makeFiles({ files, progress, filesPerCell, first, threads }: MakeWork): void {
  const fs = process.getBuiltinModule('node:fs');
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } =
    fs.constants;
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let canClone = true;
  const onDisk = (name: string): string | Buffer =>
    Buffer.byteLength(name) === name.length ? name : Buffer.from(name, 'latin1');
  const waitFor = (file: number): void => void Atomics.wait(progress, Math.floor(file / filesPerCell), 0);
  /** Blocks are shared where the file system can. */
  const clone = (from: number, to: string): boolean => {
    try {
      fs.copyFileSync(`/proc/self/fd/${from}`, onDisk(to), COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
      return true;
    } catch {
      fs.rmSync(onDisk(to), { force: true });
      return false;
    }
  };
  const pump = (from: number, to: number, size: number): void => {
    let done = 0;
    for (;;) {
      const length = fs.readSync(from, buffer, 0, Math.min(buffer.length, size - done + 1), null);
      for (let at = 0; at < length;) at += fs.writeSync(to, buffer, at, length - at);
      done += length;
      if (done > size || length === 0) break;
      if (done === size && length < buffer.length) break; // one byte more was asked for than came
    }
    if (done !== size) throw Object.assign(new Error('a file changed while it was copied'), { code: 'SOURCE_CHANGED' });
  };
  const copy = (file: MadeFile): void => {
    const from = fs.openSync(onDisk(file.from), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      canClone = canClone && clone(from, file.to);
      const to = fs.openSync(onDisk(file.to), canClone ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL, 0o600);
      try {
        if (!canClone) pump(from, to, file.size);
        fs.fchownSync(to, file.uid, file.gid);
        fs.fchmodSync(to, file.mode);
      } finally {
        fs.closeSync(to);
      }
    } finally {
      fs.closeSync(from);
    }
  };
  const make = (file: MadeFile): void => {
    if (file.after >= 0 && Math.floor(file.after / filesPerCell) !== cell) waitFor(file.after);
    if (file.how === 'copy') copy(file);
    else if (file.how === 'link') fs.linkSync(onDisk(file.from), onDisk(file.to));
    else {
      fs.symlinkSync(onDisk(file.from), onDisk(file.to));
      fs.lchownSync(onDisk(file.to), file.uid, file.gid);
    }
  };
  const rows = Buffer.from(files.bytes.buffer as ArrayBuffer);
  let cell = first;
  for (; cell < progress.length; cell += threads) {
    const fields = rows.toString('latin1', files.cells[cell], files.cells[cell + 1]).split('\0');
    for (let at = 0; at + 8 <= fields.length; at += 8) {
      const [how, from = '', to = '', ...numbers] = fields.slice(at, at + 8);
      const [size = 0, mode = 0, uid = 0, gid = 0, after = -1] = numbers.map(Number);
      make({ how: how as MadeFile['how'], from, to, size, mode, uid, gid, after });
    }
    Atomics.store(progress, cell, 1);
    Atomics.notify(progress, cell);
  }
}

/** One content, for the thread that reads it. Its row has these fields in this order. */
export interface ReadFile {
  /** Where the frame is interrupted for it. */
  readonly at: number;
  readonly path: string;
  readonly size: number;
  /** Index of the file. */
  readonly file: number;
}

export interface DigestWork {
  /** What stands in the archive before, between and after the contents of the files. */
  readonly frame: Uint8Array;
  /** Of `ReadFile`. */
  readonly contents: SharedRows;
  readonly progress: Int32Array;
  readonly filesPerCell: number;
  /** After how many contents the state is noted: a multiple of `filesPerCell`. */
  readonly step: number;
  /** Where another archive was that begins with the same bytes. */
  readonly from: { readonly done: number; readonly framed: number; readonly state: Uint8Array } | undefined;
}

export interface DigestedArchive {
  readonly digest: string;
  readonly stops: readonly { readonly done: number; readonly state: Uint8Array }[];
}

/** SHA-256 of the archive, whose contents are read as soon as they are there. @throws Error with code `SOURCE_CHANGED` */
export function digestArchive({ frame, contents, progress, filesPerCell, step, from }: DigestWork): DigestedArchive {
  const fs = process.getBuiltinModule('node:fs');
  /** The state of OpenSSL's own calls is memory of ours; where they are missing the digest cannot be interrupted. */
  const interruptible = () => {
    try {
      process.emitWarning = () => {}; // of this thread: the interface is experimental
      const { functions } = process.getBuiltinModule('node:ffi').dlopen(null, {
        SHA256_Init: { arguments: ['buffer'], return: 'int32' },
        SHA256_Update: { arguments: ['buffer', 'buffer', 'uint64'], return: 'int32' },
        SHA256_Final: { arguments: ['buffer', 'buffer'], return: 'int32' },
      });
      const calls = functions as unknown as Record<string, (...args: readonly (Buffer | bigint)[]) => number>;
      const state = Buffer.alloc(256);
      if (from === undefined) calls['SHA256_Init']!(state);
      else state.set(from.state);
      return {
        update: (data: Buffer) => void (data.length > 0 && calls['SHA256_Update']!(state, data, BigInt(data.length))),
        state: (): Uint8Array | undefined => new Uint8Array(state.subarray(0, 112)),
        digest() {
          const digest = Buffer.alloc(32);
          calls['SHA256_Final']!(digest, state);
          return digest.toString('hex');
        },
      };
    } catch {
      return undefined;
    }
  };
  const plain = () => {
    const whole = process.getBuiltinModule('node:crypto').createHash('sha256');
    const noState = (): Uint8Array | undefined => undefined;
    return { update: (data: Buffer) => void whole.update(data), state: noState, digest: () => whole.digest('hex') };
  };
  const own = interruptible();
  const hash = own ?? plain();
  const start = own === undefined ? undefined : from;
  const stops: { done: number; state: Uint8Array }[] = [];
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const { O_RDONLY, O_NOFOLLOW } = fs.constants;
  const onDisk = (name: string): string | Buffer =>
    Buffer.byteLength(name) === name.length ? name : Buffer.from(name, 'latin1');
  let framed = start?.framed ?? 0;
  const updateFrame = (end: number): void => hash.update(Buffer.from(frame.subarray(framed, end)));
  const read = ({ at, path, size, file }: ReadFile): void => {
    updateFrame(at);
    framed = at;
    Atomics.wait(progress, Math.floor(file / filesPerCell), 0);
    const descriptor = fs.openSync(onDisk(path), O_RDONLY | O_NOFOLLOW);
    let done = 0;
    for (let length = 1; length > 0 && done < size; done += length) {
      length = fs.readSync(descriptor, buffer, 0, buffer.length, null);
      hash.update(buffer.subarray(0, length));
    }
    fs.closeSync(descriptor);
    if (done !== size) throw Object.assign(new Error('a file changed while it was copied'), { code: 'SOURCE_CHANGED' });
  };
  const rows = Buffer.from(contents.bytes.buffer as ArrayBuffer);
  const first = (start?.done ?? 0) / filesPerCell;
  for (let cell = first; cell + 1 < contents.cells.length; cell++) {
    const state = cell > first && (cell * filesPerCell) % step === 0 ? hash.state() : undefined;
    if (state !== undefined) stops.push({ done: cell * filesPerCell, state });
    const fields = rows.toString('latin1', contents.cells[cell], contents.cells[cell + 1]).split('\0');
    for (let row = 0; row + 4 <= fields.length; row += 4) {
      const [at, path = '', size, file] = fields.slice(row, row + 4);
      read({ at: Number(at), path, size: Number(size), file: Number(file) });
    }
  }
  updateFrame(frame.length);
  return { digest: hash.digest(), stops };
}
