import { constants } from 'node:fs';
import { chmod, copyFile, lchown, link, lutimes, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { resolveNameInRoot } from '../../../lib/root-path.ts';
import { changedMode } from '../dockerfile/mode.ts';
import { copyInBulk } from './bulk-copy.ts';
import type { CopyOptions } from './copy-options.ts';
import { eachLimited } from './limit.ts';
import { laterEntries, newFiles } from './later-files.ts';
import { kindOf, notDirectory } from './make-directories.ts';
import { asArgument, nameOf, onDisk, textOf } from './names.ts';
import type { SelectedSource } from './select.ts';
import type { TreeEntry } from './tree.ts';

interface MadeDirectory {
  /** Where it is on this host, a byte string without links. */
  readonly path: string;
  /** It was not there before. */
  readonly isNew: boolean;
  /** No link led to it: it is below the destination as its source is below the top. */
  readonly isDirect: boolean;
  /** What was in it before. */
  readonly names: ReadonlySet<string>;
}

/** From so many files on, two processes more pay. */
const BULK_FILES = 200;
const NOTHING: ReadonlySet<string> = new Set();

/** Copies one selected file or folder to a place whose parent is there. */
export function createTreeCopy(source: SelectedSource, o: CopyOptions): { at(path: string): Promise<void> } {
  const directories = new Map<string, MadeDirectory>();
  const firstLinks = new Map<string, Promise<string>>();

  async function copyDirectory(entry: TreeEntry): Promise<void> {
    const parent = parentOf(entry);
    const path = join(parent.path, basename(entry.path));
    const kind = parent.names.has(basename(entry.path)) ? await kindOf(path) : undefined;
    const isDirect = parent.isDirect && kind !== 'link';
    directories.set(entry.path, await openDirectory(path, { kind, isDirect }));
  }

  async function openDirectory(
    path: string,
    { kind, isDirect }: { readonly kind: Awaited<ReturnType<typeof kindOf>>; readonly isDirect: boolean },
  ): Promise<MadeDirectory> {
    if (kind === undefined) {
      await mkdir(onDisk(path));
      return { path, isNew: true, isDirect, names: NOTHING };
    }
    const root = nameOf(o.root);
    const real = kind === 'link' ? await resolveNameInRoot(root, relative(root, path)) : path;
    if (kind !== 'directory' && (await kindOf(real)) !== 'directory') throw notDirectory(o.root, path);
    return { path: real, isNew: false, isDirect, names: new Set(await readdir(onDisk(real), 'latin1')) };
  }

  function parentOf(entry: TreeEntry): MadeDirectory {
    const parent = dirname(entry.path);
    const made = directories.get(parent === '.' ? '' : parent);
    if (made === undefined) throw new Error(`no folder for ${textOf(entry.path)}`);
    return made;
  }

  async function copyFiles(to: string, all: readonly TreeEntry[]): Promise<void> {
    const coming = new Set(laterEntries(all, o, isInEmptyFolder));
    await Promise.all([...new Set([...coming].map(parentOf))].filter(({ isNew }) => !isNew).map(touch));
    if (coming.size > 0) o.later?.take(await newFiles(source, { ...o, entries: [...coming], pathOf: pathInRoot }));
    const entries = coming.size === 0 ? all : all.filter((entry) => !coming.has(entry));
    await eachLimited(entries.filter(isInTheWay), 8, makeRoom);
    const [from, target] = [asArgument(source.directory), asArgument(to)];
    const isBulk = entries.length >= BULK_FILES || o.calls === undefined || entries.some(isForTar);
    const direct = isBulk && from !== undefined && target !== undefined ? entries.filter(isDirect) : [];
    const others = direct.length === 0 ? entries : entries.filter((entry) => !isDirect(entry));
    for (const [mode, group] of byMode(direct)) {
      const paths = group.map(({ path }) => path);
      await copyInBulk({
        ...o,
        mode,
        from: from!,
        to: target!,
        paths,
        hasHoles: group.some(({ isSparse }) => isSparse),
      });
    }
    await eachLimited(others, 8, copyOther);
  }

  function isInEmptyFolder(entry: TreeEntry): boolean {
    const { isNew, names, isDirect: isReached } = parentOf(entry);
    return isReached && (isNew || names.size === 0);
  }

  /** As a new file in it would: its time changes, and an overlay puts it into its upper folder. */
  async function touch({ path }: MadeDirectory): Promise<void> {
    const now = new Date();
    await lutimes(onDisk(path), now, now);
  }

  function pathInRoot(entry: TreeEntry): string {
    return join(parentOf(entry).path, basename(entry.path)).slice(nameOf(o.root).length + 1);
  }

  function isDirect(entry: TreeEntry): boolean {
    return parentOf(entry).isDirect;
  }

  function isInTheWay(entry: TreeEntry): boolean {
    return parentOf(entry).names.has(basename(entry.path));
  }

  async function makeRoom(entry: TreeEntry): Promise<void> {
    await clear(join(parentOf(entry).path, basename(entry.path)), o.root);
  }

  /** By the mode that they get; that of links does not count. */
  function byMode(entries: readonly TreeEntry[]): ReadonlyMap<number | undefined, readonly TreeEntry[]> {
    const { mode } = o;
    if (mode === undefined) return new Map(entries.length === 0 ? [] : [[undefined, entries]]);
    return Map.groupBy(entries, (entry) => changedMode(mode, entry.mode, false));
  }

  async function copyOther(entry: TreeEntry): Promise<void> {
    o.signal?.throwIfAborted();
    await copyAs(entry, join(parentOf(entry).path, basename(entry.path)));
  }

  async function copyAs(entry: TreeEntry, path: string): Promise<void> {
    const from = join(source.directory, entry.path);
    const first = entry.links > 1 ? firstLinks.get(inodeOf(entry)) : undefined;
    if (first !== undefined) return link(onDisk(await first), onDisk(path));
    const copied = copyContent(entry, from, path);
    if (entry.links > 1) firstLinks.set(inodeOf(entry), named(copied, path));
    await copied;
    await setMetadata(path, entry);
  }

  async function copyContent(entry: TreeEntry, from: string, path: string): Promise<void> {
    if (entry.kind === 'link') await symlink(await readlink(onDisk(from), 'buffer'), onDisk(path));
    else if (entry.kind === 'other' || entry.isSparse) await copyByProgram(from, path);
    else await copyFile(onDisk(from), onDisk(path), constants.COPYFILE_FICLONE);
  }

  async function setMetadata(path: string, entry: TreeEntry): Promise<void> {
    const { uid, gid } = o.ownership === 'as-source' ? entry : o.ownership;
    await lchown(onDisk(path), uid, gid);
    const mode = o.mode === undefined ? entry.mode : changedMode(o.mode, entry.mode, entry.kind === 'directory');
    if (entry.kind !== 'link') await chmod(onDisk(path), mode); // changing the owner took set-id bits away
    if (entry.kind === 'file' || entry.kind === 'directory') copyXattrs(join(source.directory, entry.path), path);
    await setTime(path, o.time === undefined ? entry.modifiedAt : `${o.time}.0`);
  }

  function copyXattrs(from: string, to: string): void {
    const xattrs = o.calls?.readXattrs(Buffer.from(from, 'latin1'));
    if (xattrs !== undefined && xattrs.size > 0) o.calls?.writeXattrs(Buffer.from(to, 'latin1'), xattrs);
  }

  async function setTime(path: string, time: string): Promise<void> {
    if (o.calls !== undefined) o.calls.setTime(Buffer.from(path, 'latin1'), time);
    else await lutimes(onDisk(path), secondsOf(time), secondsOf(time));
  }

  async function copyTop(top: TreeEntry, path: string): Promise<void> {
    await clear(path, o.root);
    await copyAs(top, path);
  }

  return {
    async at(path) {
      const [top, ...rest] = source.entries;
      if (top === undefined) return;
      if (top.kind !== 'directory') return copyTop(top, path);
      directories.set('', await openDirectory(path, { kind: await kindOf(path), isDirect: true }));
      for (const entry of rest) if (entry.kind === 'directory') await copyDirectory(entry);
      await copyFiles(
        path,
        rest.filter(({ kind }) => kind !== 'directory'),
      );
      for (const entry of source.entries.toReversed()) {
        const made = directories.get(entry.path);
        if (entry.kind !== 'directory' || made === undefined) continue;
        const isPlace = entry.path === '' || source.onTheWay?.has(entry.path) === true;
        if (made.isNew || !isPlace) await setMetadata(made.path, entry);
      }
    },
  };
}

/** GNU tar keeps holes, and makes devices and pipes. */
function isForTar(entry: TreeEntry): boolean {
  return entry.isSparse || entry.kind === 'other';
}

/** The second name of a file becomes a link to the first, whose copy must be there by then. */
function named(copied: Promise<void>, path: string): Promise<string> {
  const first = copied.then(() => path);
  first.catch(() => {}); // whoever copies is told, too
  return first;
}

/** A date: Node takes a negative number for now. */
function secondsOf(time: string): Date {
  return new Date(Number.parseInt(time, 10) * 1_000);
}

function inodeOf(entry: TreeEntry): string {
  return `${entry.device}:${entry.inode}`;
}

async function clear(path: string, root: string): Promise<void> {
  const kind = await kindOf(path);
  if (kind === 'directory') {
    throw new UserError({
      code: 'copy-over-directory',
      kind: 'invalid',
      message: `a file cannot replace the folder /${textOf(relative(nameOf(root), path))}`,
      fix: 'Copy it to another name, or remove the folder in a RUN step before.',
    });
  }
  if (kind !== undefined) await rm(onDisk(path));
}

/** Devices, pipes, sockets, and files with holes. */
async function copyByProgram(from: string, path: string): Promise<void> {
  const names = [asArgument(from), asArgument(path)];
  if (!names.every((name) => name !== undefined)) throw new Error(`the name ${textOf(from)} is no UTF-8`);
  await runOrThrow(['cp', '--archive', '--sparse=auto', '--no-target-directory', '--', ...names]);
}
