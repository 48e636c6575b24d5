import type { DatabaseSync } from 'node:sqlite';
import { migrate, withoutSync } from '../../lib/database.ts';
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
  saveState(id: string, state: StoredState, spec: ContainerSpec): void;
  saveSpec(id: string, spec: ContainerSpec): void;
  delete(id: string, spec: ContainerSpec): void;
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
  const write = (isBrief: boolean, work: () => unknown): void => void (isBrief ? withoutSync(database, work) : work());
  return {
    all: () => database.prepare('SELECT * FROM containers').all().map(recordOf),
    insert: ({ id, spec, createdAt, state }) =>
      write(spec.autoRemove, () =>
        insert.run(id, spec.name, createdAt.toISOString(), JSON.stringify(spec), JSON.stringify(state)),
      ),
    saveState: (id, state, spec) => write(stateIsBrief(spec), () => saveState.run(JSON.stringify(state), id)),
    saveSpec: (id, spec) => void saveSpec.run(spec.name, JSON.stringify(spec), id),
    delete: (id, spec) => write(spec.autoRemove, () => remove.run(id)),
  };
}

/**
 * Whether it does not matter after a power cut what the last state was: nothing runs then, and nothing is started again.
 * Such states do not wait for the disk, and no other request waits for them.
 */
function stateIsBrief({ autoRemove, restartPolicy }: ContainerSpec): boolean {
  return autoRemove || restartPolicy.name === 'no';
}

function recordOf(row: Record<string, unknown>): ContainerRecord {
  return {
    id: String(row['id']),
    createdAt: new Date(String(row['created_at'])),
    spec: JSON.parse(String(row['spec'])) as ContainerSpec,
    state: JSON.parse(String(row['state'])) as StoredState,
  };
}
