import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, type Schema, withoutSync } from '../../../lib/database.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { ControlRecord } from '../steer/control-record.ts';
import type { Progress } from './progress.ts';
import type { LaneSamples, RolloutKey } from './samples.ts';

/**
 * What a rollout has seen and been told, in the journal's database: it goes on with it after a
 * crash. What cannot be written down (a full disk) is logged: a rollout does not end because of it.
 */
export interface EvidenceStore {
  lanes(rollout: RolloutKey): readonly LaneSamples[];
  putLanes(rollout: RolloutKey, lanes: readonly LaneSamples[]): void;
  progress(rollout: RolloutKey): Progress | undefined;
  putProgress(rollout: RolloutKey, progress: Progress): void;
  controls(rollout: RolloutKey): readonly ControlRecord[];
  addControl(rollout: RolloutKey, control: ControlRecord): void;
}

const SCHEMA: Schema = {
  room: 'rollout-evidence',
  statements: [
    `CREATE TABLE lane_samples (
       project TEXT NOT NULL, rollout INTEGER NOT NULL, lane TEXT NOT NULL, body TEXT NOT NULL,
       PRIMARY KEY (project, rollout, lane)
     ) STRICT;
     CREATE TABLE rollout_progress (
       project TEXT NOT NULL, rollout INTEGER NOT NULL, body TEXT NOT NULL,
       PRIMARY KEY (project, rollout)
     ) STRICT;
     CREATE TABLE rollout_controls (
       id INTEGER PRIMARY KEY, project TEXT NOT NULL, rollout INTEGER NOT NULL, body TEXT NOT NULL
     ) STRICT;
     CREATE INDEX controls_of_rollout ON rollout_controls (project, rollout)`,
  ],
};

export function openEvidenceStore(database: DatabaseSync, log: Log): EvidenceStore {
  migrate(database, SCHEMA);
  const bodies = <T>(table: string, { project, rollout }: RolloutKey, order: string): readonly T[] =>
    database
      .prepare(`SELECT body FROM ${table} WHERE project = ? AND rollout = ? ORDER BY ${order}`)
      .all(project, rollout)
      .map(({ body }) => JSON.parse(String(body)) as T);
  const attempt = (rollout: RolloutKey, work: () => unknown): void => {
    try {
      withoutSync(database, work);
    } catch (error) {
      log.warn({ ...rollout, err: error }, `what was seen could not be written down: ${messageOf(error)}`);
    }
  };
  return {
    lanes: (key) => bodies('lane_samples', key, 'lane'),
    putLanes: (key, lanes) =>
      attempt(key, () =>
        inTransaction(database, () => {
          const put = database.prepare('INSERT OR REPLACE INTO lane_samples VALUES (?, ?, ?, ?)');
          for (const each of lanes) put.run(key.project, key.rollout, each.lane, JSON.stringify(each));
        }),
      ),
    progress: (key) => bodies<Progress>('rollout_progress', key, 'rollout')[0],
    putProgress: (key, progress) =>
      attempt(key, () =>
        database
          .prepare('INSERT OR REPLACE INTO rollout_progress VALUES (?, ?, ?)')
          .run(key.project, key.rollout, JSON.stringify(progress)),
      ),
    controls: (key) => bodies('rollout_controls', key, 'id'),
    addControl: ({ project, rollout }, control) =>
      void database
        .prepare('INSERT INTO rollout_controls (project, rollout, body) VALUES (?, ?, ?)')
        .run(project, rollout, JSON.stringify(control)),
  };
}
