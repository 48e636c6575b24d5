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
}

/** SHA-256 of the archive, whose contents are read as soon as they are there. @throws Error with code `SOURCE_CHANGED` */
export function digestArchive({ frame, contents, progress, filesPerCell }: DigestWork): string {
  const fs = process.getBuiltinModule('node:fs');
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const { O_RDONLY, O_NOFOLLOW } = fs.constants;
  const onDisk = (name: string): string | Buffer =>
    Buffer.byteLength(name) === name.length ? name : Buffer.from(name, 'latin1');
  let framed = 0;
  const read = ({ at, path, size, file }: ReadFile): void => {
    hash.update(frame.subarray(framed, at));
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
  for (let cell = 0; cell + 1 < contents.cells.length; cell++) {
    const fields = rows.toString('latin1', contents.cells[cell], contents.cells[cell + 1]).split('\0');
    for (let row = 0; row + 4 <= fields.length; row += 4) {
      const [at, path = '', size, file] = fields.slice(row, row + 4);
      read({ at: Number(at), path, size: Number(size), file: Number(file) });
    }
  }
  hash.update(frame.subarray(framed));
  return hash.digest('hex');
}
