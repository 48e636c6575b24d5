import { lstatSync, readdirSync, readFileSync, readlinkSync, type BigIntStats } from 'node:fs';
import { NO_XATTRS, tarEntry, type TarEntry, type TarType } from './tar-entry.ts';
import type { XattrReader } from './xattr.ts';

/** A folder that is small enough to be read at once, in the order of its archive. */
export interface SmallMember {
  readonly entry: TarEntry;
  readonly content: Buffer | undefined;
}

/** More than this is read by another process sooner. */
const SMALL: SmallLimits = { entries: 400, bytes: 2 * 1024 * 1024 };
const SLASH = Buffer.from('/');

export interface SmallLimits {
  readonly entries: number;
  /** Of content. */
  readonly bytes: number;
}

/** Why a walk stops: not an error, the other way of reading takes over. */
const TOO_LARGE = Symbol('too large');

/**
 * Reads a small upper folder in this process: a few hundred microseconds instead of a child process.
 * undefined when it is too large for that, or its attributes cannot be read here.
 */
export function readSmallFolder(
  directory: string,
  xattrs: XattrReader,
  limits = SMALL,
): readonly SmallMember[] | undefined {
  const walk = new SmallWalk(xattrs, limits);
  try {
    walk.folder(Buffer.from(directory), '');
    return walk.members;
  } catch (error) {
    if (error === TOO_LARGE) return undefined;
    throw error;
  }
}

class SmallWalk {
  readonly members: SmallMember[] = [];
  readonly #xattrs: XattrReader;
  readonly #limits: SmallLimits;
  /** First path of each file with several names, by device and inode. */
  readonly #firstNames = new Map<string, string>();
  #bytes = 0;

  constructor(xattrs: XattrReader, limits: SmallLimits) {
    this.#xattrs = xattrs;
    this.#limits = limits;
  }

  folder(directory: Buffer, path: string): void {
    const names = readdirSync(directory, { encoding: 'latin1' }).sort();
    for (const name of names) this.#member(joinBytes(directory, name), path === '' ? name : `${path}/${name}`);
  }

  #member(file: Buffer, path: string): void {
    if (this.members.length >= this.#limits.entries) throw TOO_LARGE;
    const stats = lstatSync(file, { bigint: true });
    const type = typeOf(stats);
    if (type === undefined) return;
    const base = tarEntry({ path, type, ...ownershipOf(stats) });
    const firstName = this.#firstNameOf(stats, { path, type });
    if (firstName !== undefined) this.#add({ ...base, type: 'hardlink', linkTarget: firstName }, undefined);
    else this.#add(...this.#complete(base, { file, stats }));
    if (type === 'directory') this.folder(file, path);
  }

  #complete(base: TarEntry, { file, stats }: { file: Buffer; stats: BigIntStats }): [TarEntry, Buffer | undefined] {
    switch (base.type) {
      case 'file': {
        this.#bytes += Number(stats.size);
        if (this.#bytes > this.#limits.bytes) throw TOO_LARGE;
        const content = readFileSync(file);
        return [{ ...base, size: content.length, xattrs: this.#read(file) }, content];
      }
      case 'directory':
        return [{ ...base, xattrs: this.#read(file) }, undefined];
      case 'symlink':
        return [{ ...base, linkTarget: readlinkSync(file, { encoding: 'latin1' }) }, undefined];
      default:
        return [{ ...base, ...deviceOf(base.type, stats.rdev) }, undefined];
    }
  }

  #read(file: Buffer): ReadonlyMap<string, Buffer> {
    const xattrs = this.#xattrs.read(file);
    if (xattrs === undefined) throw TOO_LARGE;
    return xattrs.size === 0 ? NO_XATTRS : xattrs;
  }

  #firstNameOf(stats: BigIntStats, { path, type }: { path: string; type: TarType }): string | undefined {
    if (type === 'directory' || stats.nlink < 2n) return undefined;
    const key = `${stats.dev}:${stats.ino}`;
    const first = this.#firstNames.get(key);
    if (first === undefined) this.#firstNames.set(key, path);
    return first;
  }

  #add(entry: TarEntry, content: Buffer | undefined): void {
    this.members.push({ entry, content });
  }
}

function joinBytes(directory: Buffer, name: string): Buffer {
  return Buffer.concat([directory, SLASH, Buffer.from(name, 'latin1')]);
}

/** undefined for sockets: an archive cannot hold them. */
function typeOf(stats: BigIntStats): TarType | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  return stats.isFIFO() ? 'fifo' : undefined;
}

function ownershipOf(stats: BigIntStats): Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime'> {
  const seconds = stats.mtimeNs / 1_000_000_000n;
  const isFractionBelowZero = stats.mtimeNs < 0n && stats.mtimeNs % 1_000_000_000n !== 0n;
  return {
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number(isFractionBelowZero ? seconds - 1n : seconds),
  };
}

/** Linux's encoding of a device number (makedev(3)). */
function deviceOf(type: TarType, rdev: bigint): Pick<TarEntry, 'major' | 'minor'> {
  if (type !== 'character' && type !== 'block') return { major: 0, minor: 0 };
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return { major: Number(major), minor: Number(minor) };
}
