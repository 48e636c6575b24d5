import { open } from 'node:fs/promises';
import { UserError } from '../../lib/errors.ts';
import { findFiles, type Layer } from '../image/index.ts';
import { isDatabase, packagesOf } from './packages-of.ts';
import type { Package } from './software.ts';

/** Databases of package managers are small; what is larger is none. */
const LARGEST_FILE_BYTES = 64 * 1024 * 1024;
/** All of them are in memory at once. Of the largest real images they are a tenth of it. */
const LARGEST_SUM_BYTES = 512 * 1024 * 1024;

/** The Debian, npm and Python packages that a container of these layers would see, sorted. @param layers bottom first */
export async function collectPackages(layers: readonly Layer[], signal?: AbortSignal): Promise<readonly Package[]> {
  const found = await findFiles(layers, { isWanted: isDatabase, ...(signal === undefined ? {} : { signal }) });
  const texts = new Map<string, string>();
  let sum = 0;
  for (const { path, file } of found) {
    signal?.throwIfAborted();
    const text = await readText(file);
    if (text === undefined) continue;
    texts.set(path, text);
    sum += text.length;
    if (sum > LARGEST_SUM_BYTES) throw tooLarge();
  }
  return packagesOf(texts);
}

function tooLarge(): UserError {
  return new UserError({
    code: 'packages-too-large',
    kind: 'invalid',
    message: `what this image calls its packages has more than ${LARGEST_SUM_BYTES / 1024 ** 2} MiB`,
    fix: 'Look at its package.json files: they are not those of real packages.',
  });
}

async function readText(path: Buffer): Promise<string | undefined> {
  await using file = await open(path);
  const { size } = await file.stat();
  return size > LARGEST_FILE_BYTES ? undefined : await file.readFile('utf8');
}
