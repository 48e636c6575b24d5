import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isArchive, unpackArchive } from '../files/archive.ts';
import type { Ownership } from '../files/bulk-copy.ts';
import { copySources, type CopyOptions } from '../files/copy.ts';
import type { SelectedSource } from '../files/select.ts';
import { walkTree } from '../files/tree.ts';
import type { CopyAction } from '../plan/plan.ts';
import { resolveOwner } from './owner.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';

/** COPY and ADD into a mounted root. */
export async function performCopy(performance: Performance, action: CopyAction, root: string): Promise<void> {
  const { session, inputs } = performance;
  const ownership = await ownershipOf(action, root);
  const options: CopyOptions = {
    root,
    destination: action.destination,
    intoDirectory: action.intoDirectory,
    ownership,
    mode: action.chmod?.kind === 'mode' ? action.chmod.mode : undefined,
    now: session.now(),
    signal: session.signal,
  };
  const given = action.sources.length === 0 ? [] : await inputs.sources();
  const intoDirectory = action.intoDirectory || given.length > 1;
  const inline = action.inlineFiles.length === 0 ? [] : await inlineSources(session, action);
  for (const source of [...inline, ...given]) {
    const archive = action.sources.some(({ unpacks }) => unpacks) ? await archiveOf(session, source) : undefined;
    if (archive === undefined) await copySources([source], { ...options, intoDirectory });
    else await copySources([archive], { ...options, ownership: action.chown === undefined ? 'as-source' : ownership });
  }
}

/** From the context everything becomes 0:0; from a stage or an image owners are kept, as the reference does. */
async function ownershipOf(action: CopyAction, root: string): Promise<Ownership> {
  if (action.chown !== undefined) return resolveOwner(root, action.chown);
  return action.sources.every(({ origin }) => origin.kind === 'context') ? { uid: 0, gid: 0 } : 'as-source';
}

async function inlineSources(session: Session, action: CopyAction): Promise<readonly SelectedSource[]> {
  const directory = await session.temporaryDirectory();
  const sources: SelectedSource[] = [];
  for (const [index, file] of action.inlineFiles.entries()) {
    const path = join(directory, String(index));
    await writeFile(path, file.content, { mode: 0o644 });
    const entries = await walkTree(path);
    sources.push({ name: file.name, directory: path, entries });
  }
  return sources;
}

/** What ADD puts in the place of a tar archive: its content. */
async function archiveOf(session: Session, source: SelectedSource): Promise<SelectedSource | undefined> {
  if (source.entries[0]?.kind !== 'file' || !(await isArchive(source.directory))) return undefined;
  const directory = join(await session.temporaryDirectory(), 'unpacked');
  await mkdir(directory);
  await chmod(directory, 0o755);
  await unpackArchive(source.directory, directory, session.signal);
  return { name: source.name, directory, entries: await walkTree(directory, session.signal) };
}
