import { chmod, chown, link, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runOrThrow } from '../../../lib/process.ts';
import { onDisk } from './names.ts';
import type { TreeEntry } from './tree.ts';

/** What is in a tree and must not be seen: the topmost of each. Pure. */
export function hiddenOf(all: readonly TreeEntry[], kept: readonly TreeEntry[]): readonly TreeEntry[] {
  const seen = new Set(kept.map(({ path }) => path));
  return all.filter(
    ({ path }) => path !== '' && !seen.has(path) && (parentOf(path) === '' || seen.has(parentOf(path))),
  );
}

/** Fills a new folder that, laid over the tree by overlayfs, hides some of it: with whiteouts. */
export async function writeMask(
  directory: string,
  { all, hidden }: { readonly all: readonly TreeEntry[]; readonly hidden: readonly TreeEntry[] },
): Promise<void> {
  const folders = new Map(all.filter(({ kind }) => kind === 'directory').map((entry) => [entry.path, entry]));
  const made = new Set<string>();
  const make = async (path: string): Promise<void> => {
    if (made.has(path)) return;
    made.add(path);
    if (path !== '') await make(parentOf(path));
    const entry = folders.get(path);
    const folder = onDisk(join(directory, path));
    await mkdir(folder);
    if (entry === undefined) return;
    await chown(folder, entry.uid, entry.gid);
    await chmod(folder, entry.mode);
  };
  await make('');
  const device = join(directory, '.whiteout');
  await runOrThrow(['mknod', device, 'c', '0', '0']);
  for (const { path } of hidden) {
    await make(parentOf(path));
    await link(device, onDisk(join(directory, path)));
  }
  await rm(device);
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === '.' ? '' : parent;
}
