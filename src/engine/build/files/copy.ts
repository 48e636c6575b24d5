import { dirname, join } from 'node:path';
import { resolveNameInRoot } from '../../../lib/root-path.ts';
import type { CopyOptions } from './copy-options.ts';
import { createTreeCopy } from './copy-tree.ts';
import { kindOf, makeDirectories } from './make-directories.ts';
import { nameOf } from './names.ts';
import type { SelectedSource } from './select.ts';

/**
 * Copies as COPY does (Dockerfile reference: COPY): a file into a folder or to a name, of a folder its content.
 * Modes, times and extended attributes stay; links stay links, hard links stay one file, holes stay holes. Links in
 * the destination are followed inside the root.
 */
export async function copySources(sources: readonly SelectedSource[], o: CopyOptions): Promise<void> {
  const target = await resolveNameInRoot(nameOf(o.root), nameOf(o.destination));
  if (o.intoDirectory && sources.length > 0) await makeDirectories(target, o);
  for (const source of sources) {
    const path = await placeOf(source, target, o);
    await makeDirectories(source.onTheWay === undefined ? dirname(path) : path, o);
    await createTreeCopy(source, o).at(path);
  }
}

async function placeOf(source: SelectedSource, target: string, o: CopyOptions): Promise<string> {
  if (source.entries[0]?.kind === 'directory') return target;
  const isInside = o.intoDirectory || (await kindOf(target)) === 'directory';
  return isInside ? join(target, source.name) : target;
}
