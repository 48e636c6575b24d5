import type { DatabaseSync } from 'node:sqlite';
import { migrate, type Schema } from '../../../lib/database.ts';

const SCHEMA: Schema = {
  room: 'withdrawn',
  statements: [
    `CREATE TABLE withdrawn (
       project TEXT NOT NULL, instance TEXT NOT NULL, id TEXT NOT NULL, author TEXT NOT NULL, at_ms INTEGER NOT NULL,
       PRIMARY KEY (project, instance)
     ) STRICT`,
  ],
};

export interface Withdrawal {
  readonly project: string;
  readonly instance: string;
  /** The container: a successor under the same name is not withdrawn. */
  readonly id: string;
  readonly author: string;
  readonly atMs: number;
}

/** Instances that a person took out of traffic. */
export interface Withdrawn {
  add(withdrawal: Withdrawal): void;
  remove(project: string, instance: string): void;
  /** By name of the instance. */
  of(project: string): ReadonlyMap<string, Withdrawal>;
}

export function openWithdrawn(database: DatabaseSync): Withdrawn {
  migrate(database, SCHEMA);
  return {
    add: ({ project, instance, id, author, atMs }) => {
      const sql = 'INSERT OR REPLACE INTO withdrawn VALUES (?, ?, ?, ?, ?)';
      database.prepare(sql).run(project, instance, id, author, atMs);
    },
    remove: (project, instance) => {
      database.prepare('DELETE FROM withdrawn WHERE project = ? AND instance = ?').run(project, instance);
    },
    of: (project) => {
      const rows = database.prepare('SELECT * FROM withdrawn WHERE project = ?').all(project);
      return new Map(
        rows.map((row): [string, Withdrawal] => [
          String(row['instance']),
          {
            project,
            instance: String(row['instance']),
            id: String(row['id']),
            author: String(row['author']),
            atMs: Number(row['at_ms']),
          },
        ]),
      );
    },
  };
}
