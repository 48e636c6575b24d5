import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCodeOf } from '../../../../lib/errors.ts';
import { syncDirectory } from '../../../../lib/files.ts';
import { algorithmOf, hexPart, isContentDigest, type ContentDigest } from '../digests.ts';
import type { BlobStorage, StoredBlob } from './face.ts';

const CHUNK_BYTES = 256 * 1024;

/**
 * Blobs as files `<directory>/<algorithm>/<first two digits>/<digits>`. Temporary files are on the same file system: they
 * come here by renaming.
 */
export async function openFileSystemStorage(directory: string): Promise<BlobStorage> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pathOf = (digest: ContentDigest): string => {
    const hex = hexPart(digest);
    return join(directory, algorithmOf(digest), hex.slice(0, 2), hex);
  };
  return {
    kind: 'file-system',
    async read(digest, { range }) {
      const file = await open(pathOf(digest), 'r');
      const part = range === undefined ? {} : { start: range.start, end: range.end };
      return createReadStream('', { fd: file, highWaterMark: CHUNK_BYTES, ...part });
    },
    open: (digest) => open(pathOf(digest), 'r'),
    async take(digest, { path }) {
      const target = pathOf(digest);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await syncFile(path); // before the name: a power cut leaves either no blob or the whole
      await rename(path, target);
      await syncDirectory(dirname(target));
    },
    remove: (digest) => rm(pathOf(digest), { force: true }),
    list: () => listFiles(directory),
  };
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function* listFiles(directory: string): AsyncGenerator<StoredBlob> {
  for (const algorithm of ['sha256', 'sha512']) {
    for await (const shard of entriesOf(join(directory, algorithm))) {
      for await (const name of entriesOf(join(directory, algorithm, shard))) {
        const digest = `${algorithm}:${name}`;
        if (!isContentDigest(digest)) continue;
        const found = await statIfThere(join(directory, algorithm, shard, name));
        if (found !== undefined) yield { digest, sizeBytes: found.size, storedAt: found.mtime };
      }
    }
  }
}

async function* entriesOf(directory: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await opendir(directory)) yield name;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
}

async function statIfThere(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
