import type { DatabaseSync } from 'node:sqlite';
import { migrate } from '../../lib/database.ts';
import type { VolumeRecord } from './types.ts';

type VolumeRow = Omit<VolumeRecord, 'mountpoint'>;

export interface VolumeRecords {
  all(): readonly VolumeRow[];
  find(name: string): VolumeRow | undefined;
  add(row: VolumeRow): void;
  remove(name: string): void;
}

const SCHEMA = {
  room: 'volume',
  statements: [
    `CREATE TABLE volumes (
       name TEXT PRIMARY KEY, labels TEXT NOT NULL, options TEXT NOT NULL, anonymous INTEGER NOT NULL,
       created_at INTEGER NOT NULL
     ) STRICT`,
  ],
};

export function openVolumeRecords(database: DatabaseSync): VolumeRecords {
  migrate(database, SCHEMA);
  const all = database.prepare('SELECT * FROM volumes ORDER BY name');
  const find = database.prepare('SELECT * FROM volumes WHERE name = ?');
  const add = database.prepare('INSERT INTO volumes VALUES (?, ?, ?, ?, ?)');
  const remove = database.prepare('DELETE FROM volumes WHERE name = ?');
  return {
    all: () => all.all().map(toRow),
    find(name) {
      const row = find.get(name);
      return row === undefined ? undefined : toRow(row);
    },
    add(row) {
      const labels = JSON.stringify(row.labels);
      add.run(row.name, labels, JSON.stringify(row.options), Number(row.anonymous), row.createdAt.getTime());
    },
    remove: (name) => void remove.run(name),
  };
}

function toRow(row: Record<string, unknown>): VolumeRow {
  return {
    name: String(row['name']),
    driver: 'local',
    labels: JSON.parse(String(row['labels'])) as Record<string, string>,
    options: JSON.parse(String(row['options'])) as Record<string, string>,
    anonymous: row['anonymous'] === 1,
    createdAt: new Date(Number(row['created_at'])),
  };
}
