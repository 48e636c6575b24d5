import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A room's tables: `statements[i]` takes its schema from version i to i + 1. They are never edited, only added to. */
export interface Schema {
  readonly room: string;
  readonly statements: readonly string[];
}

/**
 * Opens a SQLite file for records: write-ahead log, full synchronisation (a commit survives a power cut),
 * foreign keys on, and a second process waits instead of failing. Nobody but its owner reads it: environments and
 * tokens stand in records.
 */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ':memory:') makePrivate(path);
  const database = new DatabaseSync(path);
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;',
  );
  database.exec('CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT');
  return database;
}

/** SQLite gives the files beside it the mode that the database itself has; older ones may have another. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600);
}

/** Brings a room's tables up to date, each step in a transaction of its own. */
export function migrate(database: DatabaseSync, schema: Schema): void {
  const row = database.prepare('SELECT version FROM schema_version WHERE room = ?').get(schema.room);
  const version = typeof row?.['version'] === 'number' ? row['version'] : 0;
  for (const [index, statement] of schema.statements.entries()) {
    if (index < version) continue;
    inTransaction(database, () => {
      database.exec(statement);
      database
        .prepare('INSERT INTO schema_version VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET version = excluded.version')
        .run(schema.room, index + 1);
    });
  }
}

/**
 * For records that may be lost in a power cut: what `work` commits comes to the disk with the next commit of others, in
 * its order. A crash of the process loses nothing. Not inside a transaction; `work` must not await.
 */
export function withoutSync<T>(database: DatabaseSync, work: () => T): T {
  database.exec('PRAGMA synchronous = NORMAL');
  try {
    return work();
  } finally {
    database.exec('PRAGMA synchronous = FULL');
  }
}

/** Runs `work` in one transaction: all of it is kept, or none. Not re-entrant; `work` must not await. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
