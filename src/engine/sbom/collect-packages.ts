import { open } from 'node:fs/promises';
import { findFiles, type Layer } from '../image/index.ts';
import { isDatabase, packagesOf } from './packages-of.ts';
import type { Package } from './software.ts';

/** Databases of package managers are small; what is larger is none. */
const LARGEST_FILE_BYTES = 64 * 1024 * 1024;

/** The Debian, npm and Python packages that a container of these layers would see, sorted. @param layers bottom first */
export async function collectPackages(layers: readonly Layer[], signal?: AbortSignal): Promise<readonly Package[]> {
  const found = await findFiles(layers, { isWanted: isDatabase, ...(signal === undefined ? {} : { signal }) });
  const texts = new Map<string, string>();
  for (const { path, file } of found) {
    signal?.throwIfAborted();
    const text = await readText(file);
    if (text !== undefined) texts.set(path, text);
  }
  return packagesOf(texts);
}

async function readText(path: Buffer): Promise<string | undefined> {
  await using file = await open(path);
  const { size } = await file.stat();
  return size > LARGEST_FILE_BYTES ? undefined : await file.readFile('utf8');
}
