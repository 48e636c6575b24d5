import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { withoutSync } from '../../../lib/database.ts';
import { newId } from '../../../lib/id.ts';
import { run } from '../../../lib/process.ts';
import type { CacheRecord } from '../face.ts';
import { keyOf } from '../plan/key.ts';
import type { PlannedMount } from '../plan/plan.ts';

/** What is known of cache mounts, whose files are below `caches/`; those without a use are pruned. */
export interface CacheMounts {
  /** Notes the use of a step's caches; while it is not disposed, they are not pruned. */
  use(mounts: readonly PlannedMount[]): Disposable;
  list(): Promise<readonly CacheRecord[]>;
  /** @returns bytes that were freed; caches that a step uses stay */
  remove(keys: readonly string[]): Promise<number>;
}

/** The beginning of the name of every folder of a cache. */
function cacheFolderOf(id: string): string {
  return keyOf(id).slice(0, 32);
}

export function createCacheMounts(directory: string, database: DatabaseSync): CacheMounts {
  const note = database.prepare(
    `INSERT INTO build_mounts VALUES (?, ?, ?, ?, 1)
     ON CONFLICT (folder) DO UPDATE SET last_used_at = excluded.last_used_at, usage_count = usage_count + 1`,
  );
  const inUse = new Map<string, number>();
  const count = (folder: string, by: number): void => void inUse.set(folder, (inUse.get(folder) ?? 0) + by);
  const isInUse = (folder: string): boolean => (inUse.get(folder) ?? 0) > 0;
  const rows = (): readonly Readonly<Record<string, unknown>>[] => database.prepare('SELECT * FROM build_mounts').all();
  const foldersOf = async (folder: string): Promise<readonly string[]> =>
    (await namesIn(directory)).filter((name) => name.startsWith(folder)).map((name) => join(directory, name));

  return {
    use(mounts) {
      const caches = mounts.filter((mount) => mount.type === 'cache');
      const folders = caches.map(({ id }) => cacheFolderOf(id));
      const now = Date.now();
      withoutSync(database, () => {
        for (const { id, target } of caches)
          note.run(cacheFolderOf(id), `cached mount ${target} with id "${id}"`, now, now);
      });
      for (const folder of folders) count(folder, 1);
      return { [Symbol.dispose]: () => folders.forEach((folder) => count(folder, -1)) };
    },
    async list() {
      const sizes = await sizesIn(directory);
      return rows().map((row): CacheRecord => {
        const key = String(row['folder']);
        const own = [...sizes].filter(([name]) => name.startsWith(key));
        return {
          key,
          description: String(row['description']),
          diffId: undefined,
          sizeBytes: own.reduce((sum, [, bytes]) => sum + bytes, 0),
          createdAt: new Date(Number(row['created_at'])),
          lastUsedAt: new Date(Number(row['last_used_at'])),
          usageCount: Number(row['usage_count']),
          type: 'exec.cachemount',
          isInUse: isInUse(key),
        };
      });
    },
    async remove(keys) {
      const sizes = await sizesIn(directory);
      let freedBytes = 0;
      for (const key of keys.filter((folder) => !isInUse(folder))) {
        database.prepare('DELETE FROM build_mounts WHERE folder = ?').run(key);
        for (const path of await foldersOf(key)) {
          freedBytes += sizes.get(path.slice(directory.length + 1)) ?? 0;
          const doomed = join(directory, `removed-${newId().slice(0, 12)}`);
          await rename(path, doomed); // a step that begins now makes a new one
          await rm(doomed, { recursive: true, force: true });
        }
      }
      return freedBytes;
    },
  };
}

/** Removes what was being removed when the daemon was killed. */
export async function prepareCacheMounts(directory: string): Promise<void> {
  const left = (await namesIn(directory)).filter((name) => name.startsWith('removed-'));
  await Promise.all(left.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}

async function sizesIn(directory: string): Promise<ReadonlyMap<string, number>> {
  const names = await namesIn(directory);
  if (names.length === 0) return new Map();
  const paths = names.map((name) => join(directory, name));
  // Some may go away meanwhile, which du calls a failure.
  const { stdout } = await run(['du', '--summarize', '--bytes', '--null', '--', ...paths]);
  return new Map(
    stdout
      .split('\0')
      .filter((line) => line !== '')
      .map((line) => {
        const [bytes = '0', path = ''] = line.split('\t');
        return [path.slice(directory.length + 1), Number(bytes)];
      }),
  );
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}
