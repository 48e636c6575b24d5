import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, type Schema, withoutSync } from '../../../lib/database.ts';
import type { ProbeReport } from './probes/index.ts';
import type { RolloutKey } from '../judge/samples.ts';
import { NO_SERIES, type Series, type SeriesPoint } from './series.ts';

/** What a rollout's witness has seen, but for its points in time. Plain JSON. */
export interface Testimony {
  readonly stepMs: number;
  readonly probes: readonly ProbeReport[];
  /** Requests of the probes as the proxy reported them. */
  readonly probed: { readonly requests: number; readonly lost: number };
  /** Reports of requests that did not arrive while it watched: the numbers of the sides are too small by so many. */
  readonly missed: number;
  /** Moments at which somebody watched again, after the daemon was away. */
  readonly gaps: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly lastMs: number;
}

export interface WitnessStore {
  testimony(rollout: RolloutKey): Testimony | undefined;
  series(rollout: RolloutKey): Series;
  put(rollout: RolloutKey, testimony: Testimony, points: readonly SeriesPoint[]): void;
  /** All points anew: they have become coarser. */
  replace(rollout: RolloutKey, testimony: Testimony, points: readonly SeriesPoint[]): void;
}

const SCHEMA: Schema = {
  room: 'rollout-witness',
  statements: [
    `CREATE TABLE rollout_testimonies (
       project TEXT NOT NULL, rollout INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (project, rollout)
     ) STRICT;
     CREATE TABLE rollout_points (
       project TEXT NOT NULL, rollout INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
       PRIMARY KEY (project, rollout, at_ms)
     ) STRICT`,
  ],
};

export function openWitnessStore(database: DatabaseSync): WitnessStore {
  migrate(database, SCHEMA);
  const testimony = ({ project, rollout }: RolloutKey): Testimony | undefined => {
    const [row] = database
      .prepare('SELECT body FROM rollout_testimonies WHERE project = ? AND rollout = ?')
      .all(project, rollout);
    return row === undefined ? undefined : (JSON.parse(String(row['body'])) as Testimony);
  };
  const put: WitnessStore['put'] = ({ project, rollout }, body, points) => {
    database
      .prepare('INSERT OR REPLACE INTO rollout_testimonies VALUES (?, ?, ?)')
      .run(project, rollout, JSON.stringify(body));
    const insert = database.prepare('INSERT OR REPLACE INTO rollout_points VALUES (?, ?, ?, ?)');
    for (const point of points) insert.run(project, rollout, point.atMs, JSON.stringify(point));
  };
  /** Evidence: a power cut may take the last seconds of it; no rollout waits for the disk. */
  const soon = (work: () => void): void => withoutSync(database, () => inTransaction(database, work));
  return {
    testimony,
    series: (key) => ({
      stepMs: testimony(key)?.stepMs ?? NO_SERIES.stepMs,
      points: database
        .prepare('SELECT body FROM rollout_points WHERE project = ? AND rollout = ? ORDER BY at_ms')
        .all(key.project, key.rollout)
        .map(({ body }) => JSON.parse(String(body)) as SeriesPoint),
    }),
    put: (key, body, points) => soon(() => put(key, body, points)),
    replace: (key, body, points) =>
      soon(() => {
        database.prepare('DELETE FROM rollout_points WHERE project = ? AND rollout = ?').run(key.project, key.rollout);
        put(key, body, points);
      }),
  };
}
