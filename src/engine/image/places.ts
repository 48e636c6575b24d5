import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf, type Digest } from '../../lib/oci/index.ts';
import { runOrThrow } from '../../lib/process.ts';

/** Where the store keeps what, below its folder. All on one file system: things move by renaming. */
export interface Places {
  readonly layers: string;
  readonly uppers: string;
  readonly blobs: string;
  readonly temporary: string;
  /** What is being removed. */
  readonly leaving: string;
  layer(name: string): string;
  blob(digest: Digest): string;
  /** How the archive of a layer is made again from its folder. */
  recipe(digest: Digest): string;
}

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function makePlaces(directory: string): Promise<Places> {
  const places: Places = {
    layers: join(directory, 'layers'),
    uppers: join(directory, 'uppers'),
    blobs: join(directory, 'blobs', 'sha256'),
    temporary: join(directory, 'temporary'),
    leaving: join(directory, 'leaving'),
    layer: (name) => join(directory, 'layers', name),
    blob: (digest) => join(directory, 'blobs', 'sha256', hexOf(digest)),
    recipe: (digest) => join(directory, 'blobs', 'sha256', `${hexOf(digest)}.recipe`),
  };
  for (const path of [places.layers, places.uppers, places.blobs, places.temporary, places.leaving]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  return places;
}

/** A name that is short: a hundred of them fit in the options of one mount. */
export function shortName(): string {
  return randomBytes(5).toString('hex');
}

/** Gone when disposed, or at the next open. */
export async function makeTemporary(places: Places): Promise<TemporaryDirectory> {
  const path = join(places.temporary, shortName());
  await mkdir(path);
  return { path, [Symbol.asyncDispose]: () => removeTrees([path]) };
}

/**
 * Out of sight at once, before anything else happens, so that equal content may come again; deleted afterwards.
 * A crash in between leaves it to the sweep.
 */
export function moveToTemporary(places: Places, paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const away = join(places.temporary, shortName());
    renameSync(path, away);
    return away;
  });
}

/** Never into another file system that is mounted inside. Off the event loop. */
export async function removeTrees(paths: readonly string[]): Promise<void> {
  if (paths.length > 0) await runOrThrow(['rm', '-rf', '--one-file-system', '--', ...paths]);
}

export async function childrenOf(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).map((name) => join(directory, name));
}
