import { constants } from 'node:fs';
import { chmod, copyFile, lchown, link, lstat, lutimes, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { copyInBulk, type Ownership } from './bulk-copy.ts';
import { eachLimited } from './limit.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import type { SelectedSource } from './select.ts';
import type { TreeEntry } from './tree.ts';

export interface CopyOptions {
  /** A mounted root file system; nothing outside of it is touched. */
  readonly root: string;
  /** Absolute inside the root. */
  readonly destination: string;
  readonly intoDirectory: boolean;
  readonly ownership: Ownership;
  readonly mode: number | undefined;
  /** Of folders that are made on the way. */
  readonly now: Date;
  readonly signal?: AbortSignal;
}

/**
 * Copies as COPY does (Dockerfile reference: COPY): a file into a folder or to a name, of a folder its content.
 * Modes and times stay; links stay links, hard links stay one file. Links in the destination are followed inside
 * the root.
 */
export async function copySources(sources: readonly SelectedSource[], o: CopyOptions): Promise<void> {
  const target = await resolveInRoot(o.root, o.destination);
  if (o.intoDirectory && sources.length > 0) await makeDirectories(target, o);
  for (const source of sources) {
    const isDirectory = source.entries[0]?.kind === 'directory';
    const inside = !isDirectory && (o.intoDirectory || (await kindOf(target)) === 'directory');
    const path = inside ? join(target, source.name) : target;
    await makeDirectories(dirname(path), o);
    await createCopy(source, o).at(path);
  }
}

/** Makes a folder and those above it, owned like the copied files (0:0 where those keep their owner). */
export async function makeDirectories(path: string, o: Pick<CopyOptions, 'root' | 'ownership' | 'now'>): Promise<void> {
  const missing: string[] = [];
  for (let at = path; at !== o.root && at.startsWith(`${o.root}/`); at = dirname(at)) {
    const kind = await kindOf(at);
    if (kind === 'directory') break;
    if (kind !== undefined) throw notDirectory(relative(o.root, at));
    missing.unshift(at);
  }
  for (const directory of missing) {
    await mkdir(directory);
    await chmod(directory, 0o755);
    if (o.ownership !== 'as-source') await lchown(directory, o.ownership.uid, o.ownership.gid);
  }
  for (const directory of missing) await lutimes(directory, o.now, o.now);
}

interface MadeDirectory {
  readonly path: string;
  /** Nothing is in it but what we put there. */
  readonly isNew: boolean;
  /** No link led to it: it is where its name says. */
  readonly isDirect: boolean;
}

/** From so many files on, two processes more pay. */
const BULK_FILES = 200;

function createCopy(source: SelectedSource, o: CopyOptions): { at(path: string): Promise<void> } {
  const directories = new Map<string, MadeDirectory>();
  const firstLinks = new Map<string, Promise<string>>();

  async function copyDirectory(entry: TreeEntry): Promise<void> {
    const parent = parentOf(entry);
    const path = join(parent.path, basename(entry.path));
    const kind = parent.isNew ? undefined : await kindOf(path);
    if (kind === undefined) await mkdir(path);
    const real = kind === 'link' ? await resolveInRoot(o.root, relative(o.root, path)) : path;
    if (kind !== undefined && (await kindOf(real)) !== 'directory') throw notDirectory(relative(o.root, path));
    const isDirect = parent.isDirect && kind !== 'link';
    directories.set(entry.path, { path: real, isNew: kind === undefined, isDirect });
  }

  function parentOf(entry: TreeEntry): MadeDirectory {
    const parent = dirname(entry.path);
    const made = directories.get(parent === '.' ? '' : parent);
    if (made === undefined) throw new Error(`no folder for ${entry.path}`);
    return made;
  }

  async function copyFiles(to: string, entries: readonly TreeEntry[]): Promise<void> {
    const isFree = (entry: TreeEntry): boolean => parentOf(entry).isNew && parentOf(entry).isDirect;
    const free = entries.filter(isFree);
    if (free.length < BULK_FILES) return eachLimited(entries, 8, copyOther);
    const paths = free.map((entry) => entry.path);
    await copyInBulk({ ...o, from: source.directory, to, paths });
    await eachLimited(
      entries.filter((entry) => !isFree(entry)),
      8,
      copyOther,
    );
  }

  async function copyOther(entry: TreeEntry): Promise<void> {
    o.signal?.throwIfAborted();
    const parent = parentOf(entry);
    await copyAs(entry, join(parent.path, basename(entry.path)), parent.isNew);
  }

  async function copyAs(entry: TreeEntry, path: string, isFree: boolean): Promise<void> {
    if (!isFree) await clear(path, o.root);
    const from = join(source.directory, entry.path);
    if (entry.kind === 'link') await symlink(await readlink(from), path);
    else if (entry.kind === 'file') await copyContent(entry, from, path);
    else await copySpecial(from, path);
    await setMetadata(path, entry);
  }

  /** The second name of a file becomes a link to the first, whose copy must be there by then. */
  async function copyContent(entry: TreeEntry, from: string, path: string): Promise<void> {
    if (entry.links < 2) return copyFile(from, path, constants.COPYFILE_FICLONE);
    const inode = `${entry.device}:${entry.inode}`;
    const first = firstLinks.get(inode);
    if (first !== undefined) return link(await first, path);
    const copied = copyFile(from, path, constants.COPYFILE_FICLONE).then(() => path);
    firstLinks.set(inode, copied);
    await copied;
  }

  async function setMetadata(path: string, entry: TreeEntry): Promise<void> {
    const { uid, gid } = o.ownership === 'as-source' ? entry : o.ownership;
    if (uid !== 0 || gid !== 0 || entry.kind === 'directory') await lchown(path, uid, gid);
    if (entry.kind === 'directory' || (entry.kind === 'file' && modeIsToSet(entry, uid, gid))) {
      await chmod(path, o.mode ?? entry.mode);
    }
    await lutimes(path, entry.modifiedAt, entry.modifiedAt);
  }

  /** The copy has its mode already, but changing the owner takes set-id bits away. */
  function modeIsToSet(entry: TreeEntry, uid: number, gid: number): boolean {
    return o.mode !== undefined || (entry.mode & 0o7000) !== 0 || uid !== 0 || gid !== 0;
  }

  return {
    async at(path) {
      const [top, ...rest] = source.entries;
      if (top === undefined) return;
      if (top.kind !== 'directory') return copyAs(top, path, false);
      const isMissing = (await kindOf(path)) === undefined;
      if (isMissing) await mkdir(path);
      else if ((await kindOf(path)) !== 'directory') throw notDirectory(relative(o.root, path));
      const isNew = isMissing || (await readdir(path)).length === 0;
      directories.set('', { path, isNew, isDirect: true });
      for (const entry of rest) if (entry.kind === 'directory') await copyDirectory(entry);
      await copyFiles(
        path,
        rest.filter(({ kind }) => kind !== 'directory'),
      );
      const folders = source.entries.filter(({ kind }) => kind === 'directory').toReversed();
      for (const entry of folders) {
        const made = directories.get(entry.path);
        if (made !== undefined && (entry.path !== '' || isMissing)) await setMetadata(made.path, entry);
      }
    },
  };
}

async function clear(path: string, root: string): Promise<void> {
  const kind = await kindOf(path);
  if (kind === 'directory') {
    throw new UserError({
      code: 'copy-over-directory',
      kind: 'invalid',
      message: `a file cannot replace the folder /${relative(root, path)}`,
      fix: 'Copy it to another name, or remove the folder in a RUN step before.',
    });
  }
  if (kind !== undefined) await rm(path);
}

/** Devices, pipes and sockets. */
async function copySpecial(from: string, path: string): Promise<void> {
  await runOrThrow(['cp', '--archive', '--no-target-directory', '--', from, path]);
}

async function kindOf(path: string): Promise<'directory' | 'link' | 'other' | undefined> {
  try {
    const stat = await lstat(path);
    return stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function notDirectory(path: string): UserError {
  return new UserError({
    code: 'copy-not-directory',
    kind: 'invalid',
    message: `/${path} in the image is not a folder`,
    fix: 'Copy to another place, or remove that file in a RUN step before.',
  });
}
