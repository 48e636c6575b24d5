import type { DatabaseSync } from 'node:sqlite';
import { migrate, withoutSync } from '../../../lib/database.ts';
import { type Digest, isDigest } from '../../../lib/oci/index.ts';
import type { CacheRecord } from '../face.ts';

/** What a step gave: a layer, or nothing where it changed no file. */
export interface CachedResult {
  readonly diffId: Digest | undefined;
  readonly createdAt: Date;
}

/** Results of steps by their keys; it survives restarts. */
export interface StepCache {
  /** By a key over the content that a step read, or by one over what it referred to. */
  find(key: string): (CachedResult & { readonly contentKey: string }) | undefined;
  /** A key over references that leads to the same result. */
  alias(key: string, contentKey: string): void;
  store(key: string, o: CachedResult & { readonly description: string; readonly sizeBytes: number }): void;
  /** Counts a use; several at once, in one transaction. */
  touch(keys: readonly string[]): void;
  list(): readonly CacheRecord[];
  /** Whether any result is this layer. */
  needs(diffId: Digest): boolean;
  remove(keys: readonly string[]): void;
}

/** Tables of the build room. */
export function migrateBuild(database: DatabaseSync): void {
  migrate(database, {
    room: 'build',
    statements: [
      `CREATE TABLE build_cache (
         key TEXT PRIMARY KEY, diff_id TEXT, description TEXT NOT NULL, size_bytes INTEGER NOT NULL,
         created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL, usage_count INTEGER NOT NULL
       ) STRICT, WITHOUT ROWID;
       CREATE TABLE build_alias (
         key TEXT PRIMARY KEY, content_key TEXT NOT NULL REFERENCES build_cache ON DELETE CASCADE
       ) STRICT, WITHOUT ROWID;
       CREATE TABLE build_files (
         path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL
       ) STRICT, WITHOUT ROWID;`,
      `CREATE TABLE build_mounts (
         folder TEXT PRIMARY KEY, description TEXT NOT NULL, created_at INTEGER NOT NULL,
         last_used_at INTEGER NOT NULL, usage_count INTEGER NOT NULL
       ) STRICT, WITHOUT ROWID;`,
      `CREATE TABLE build_downloads (
         key TEXT PRIMARY KEY, description TEXT NOT NULL, etag TEXT, last_modified TEXT, digest TEXT NOT NULL,
         size_bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL,
         usage_count INTEGER NOT NULL
       ) STRICT, WITHOUT ROWID;`,
      `CREATE TABLE build_walks (
         name TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL
       ) STRICT, WITHOUT ROWID;`,
    ],
  });
}

export function createStepCache(database: DatabaseSync): StepCache {
  const find = database.prepare(
    `SELECT key, diff_id, created_at FROM build_cache
     WHERE key = coalesce((SELECT content_key FROM build_alias WHERE key = ?), ?)`,
  );
  const alias = database.prepare(
    'INSERT INTO build_alias VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET content_key = excluded.content_key',
  );
  const store = database.prepare(
    `INSERT INTO build_cache VALUES (?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT (key) DO UPDATE SET diff_id = excluded.diff_id, size_bytes = excluded.size_bytes,
       created_at = excluded.created_at, last_used_at = excluded.last_used_at, usage_count = usage_count + 1`,
  );
  const touch = database.prepare(
    `UPDATE build_cache SET last_used_at = ?, usage_count = usage_count + 1
     WHERE key IN (SELECT value FROM json_each(?))`,
  );
  const remove = database.prepare('DELETE FROM build_cache WHERE key IN (SELECT value FROM json_each(?))');
  const needs = database.prepare('SELECT 1 FROM build_cache WHERE diff_id = ? LIMIT 1');
  return {
    needs: (diffId) => needs.get(diffId) !== undefined,
    find(key) {
      const row = find.get(key, key);
      if (row === undefined) return undefined;
      const createdAt = new Date(Number(row['created_at']));
      return { contentKey: String(row['key']), diffId: digestOrNothing(row['diff_id']), createdAt };
    },
    // What a power cut takes of these is done again.
    alias: (key, contentKey) => withoutSync(database, () => void alias.run(key, contentKey)),
    store(key, o) {
      const values = [key, o.diffId ?? null, o.description, o.sizeBytes, o.createdAt.getTime(), Date.now()];
      withoutSync(database, () => store.run(...values));
    },
    touch(keys) {
      if (keys.length > 0) withoutSync(database, () => touch.run(Date.now(), JSON.stringify(keys)));
    },
    list: () => database.prepare('SELECT * FROM build_cache ORDER BY last_used_at DESC, key').all().map(recordOf),
    remove: (keys) => void remove.run(JSON.stringify(keys)),
  };
}

function recordOf(row: Readonly<Record<string, unknown>>): CacheRecord {
  return {
    key: String(row['key']),
    description: String(row['description']),
    diffId: digestOrNothing(row['diff_id']),
    sizeBytes: Number(row['size_bytes']),
    createdAt: new Date(Number(row['created_at'])),
    lastUsedAt: new Date(Number(row['last_used_at'])),
    usageCount: Number(row['usage_count']),
    type: 'regular',
    isInUse: false,
  };
}

function digestOrNothing(value: unknown): Digest | undefined {
  return typeof value === 'string' && isDigest(value) ? value : undefined;
}
