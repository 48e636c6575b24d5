import type { DatabaseSync } from 'node:sqlite';
import { migrate } from '../../lib/database.ts';
import type { ContainerSpec, ContainerStatus, Health } from './container.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What is remembered of a container's life, in JSON. */
export interface StoredState {
  readonly status: ContainerStatus;
  readonly init?: ProcessIdentity;
  readonly conmon?: ProcessIdentity;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly error: string;
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly restartCount: number;
  readonly lastDelayMs: number;
  readonly stoppedByUser: boolean;
  /** Of the present run: a new daemon goes on from it. */
  readonly health?: Health['status'];
}

export const CREATED: StoredState = {
  status: 'created',
  exitCode: 0,
  oomKilled: false,
  error: '',
  restartCount: 0,
  lastDelayMs: 0,
  stoppedByUser: false,
};

export interface ContainerRecord {
  readonly id: string;
  readonly createdAt: Date;
  readonly spec: ContainerSpec;
  readonly state: StoredState;
}

export interface Records {
  all(): readonly ContainerRecord[];
  insert(record: ContainerRecord): void;
  saveState(id: string, state: StoredState): void;
  saveSpec(id: string, spec: ContainerSpec): void;
  delete(id: string): void;
}

const TABLE = `CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at TEXT NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT`;

export function openRecords(database: DatabaseSync): Records {
  migrate(database, { room: 'runtime', statements: [TABLE] });
  const insert = database.prepare('INSERT INTO containers VALUES (?, ?, ?, ?, ?)');
  const saveState = database.prepare('UPDATE containers SET state = ? WHERE id = ?');
  const saveSpec = database.prepare('UPDATE containers SET name = ?, spec = ? WHERE id = ?');
  const remove = database.prepare('DELETE FROM containers WHERE id = ?');
  return {
    all: () => database.prepare('SELECT * FROM containers').all().map(recordOf),
    insert: ({ id, spec, createdAt, state }) =>
      void insert.run(id, spec.name, createdAt.toISOString(), JSON.stringify(spec), JSON.stringify(state)),
    saveState: (id, state) => void saveState.run(JSON.stringify(state), id),
    saveSpec: (id, spec) => void saveSpec.run(spec.name, JSON.stringify(spec), id),
    delete: (id) => void remove.run(id),
  };
}

function recordOf(row: Record<string, unknown>): ContainerRecord {
  return {
    id: String(row['id']),
    createdAt: new Date(String(row['created_at'])),
    spec: JSON.parse(String(row['spec'])) as ContainerSpec,
    state: JSON.parse(String(row['state'])) as StoredState,
  };
}
