import { chmod, lchown, lstat, lutimes, mkdir } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import type { Ownership } from './bulk-copy.ts';
import { nameOf, onDisk, textOf } from './names.ts';

export interface DirectoryOptions {
  /** A mounted root file system, as text; nothing outside of it is touched. */
  readonly root: string;
  readonly ownership: Ownership;
  /** Times of folders that are made on the way. */
  readonly now: Date;
}

/**
 * Makes a folder and those above it, owned like the copied files (0:0 where those keep their owner).
 * @param path a byte string without links in it
 */
export async function makeDirectories(path: string, o: DirectoryOptions): Promise<void> {
  const root = nameOf(o.root);
  const missing: string[] = [];
  for (let at = path; at !== root && at.startsWith(`${root}/`); at = dirname(at)) {
    const kind = await kindOf(at);
    if (kind === 'directory') break;
    if (kind !== undefined) throw notDirectory(o.root, at);
    missing.unshift(at);
  }
  for (const directory of missing) {
    await mkdir(onDisk(directory));
    await chmod(onDisk(directory), 0o755);
    if (o.ownership !== 'as-source') await lchown(onDisk(directory), o.ownership.uid, o.ownership.gid);
  }
  for (const directory of missing) await lutimes(onDisk(directory), o.now, o.now);
}

/** Undefined where there is nothing. */
export async function kindOf(path: string): Promise<'directory' | 'link' | 'other' | undefined> {
  try {
    const stat = await lstat(onDisk(path));
    return stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** @param path on this host, a byte string */
export function notDirectory(root: string, path: string): UserError {
  return new UserError({
    code: 'copy-not-directory',
    kind: 'invalid',
    message: `/${textOf(relative(nameOf(root), path))} in the image is not a folder`,
    fix: 'Copy to another place, or remove that file in a RUN step before.',
  });
}
