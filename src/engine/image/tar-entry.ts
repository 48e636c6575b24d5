/**
 * One member of a tar archive. Names are byte strings (each character is one byte, "latin1"): file names on Linux
 * are bytes, and comparing such strings compares the bytes.
 */
export interface TarEntry {
  /** Relative, without `./` in front and without `/` at the end. */
  readonly path: string;
  readonly type: TarType;
  /** Permission bits, at most 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 unless `type` is `file`. */
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** What the time has above `mtime`; archives of ours have none. */
  readonly nanoseconds: number;
  /** Target of a symbolic link as it is, or path of the member that a hard link is another name of. */
  readonly linkTarget: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

export const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** An entry with defaults for everything that is not named. */
export function tarEntry(fields: Pick<TarEntry, 'path' | 'type'> & Partial<TarEntry>): TarEntry {
  return {
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    nanoseconds: 0,
    linkTarget: '',
    major: 0,
    minor: 0,
    xattrs: NO_XATTRS,
    ...fields,
  };
}

/** A byte string for people. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
