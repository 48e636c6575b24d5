import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { inTransaction, migrate, type Schema, withoutSync } from '../../../lib/database.ts';
import type { LaneId, Moved } from '../../traffic/index.ts';
import type { Failure, RolloutKind, RolloutResult } from '../outcome.ts';
import { EMPTY_STANDING, type Standing } from '../plan/standing.ts';
import type { Step } from '../plan/step.ts';

/** One rollout as it is written down. `running` goes forward, `undoing` backward, `ended` is history. */
export interface RolloutRecord {
  readonly project: string;
  readonly number: number;
  readonly kind: RolloutKind;
  readonly author: string;
  readonly from?: number;
  readonly to?: number;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly phase: 'running' | 'undoing' | 'ended';
  readonly result?: RolloutResult;
  readonly failure?: Failure;
  readonly readings: readonly LaneReading[];
}

/** What one lane of a set had counted before a rollout and after it. */
export interface LaneReading {
  readonly lane: LaneId;
  readonly service: string;
  readonly release: number;
  readonly before?: Counted;
  readonly after?: Counted;
}

export interface Counted {
  readonly requests: number;
  readonly connectionErrors: number;
  readonly proxyErrors: number;
  readonly responseErrors: number;
  readonly instanceAborts: number;
  readonly retries: number;
}

export interface StepRecord {
  readonly seq: number;
  readonly wave: number;
  readonly undoing: boolean;
  readonly step: Step;
  readonly startedMs?: number;
  readonly durationMs?: number;
  readonly outcome: 'pending' | 'running' | 'done' | 'failed';
  readonly reason?: string;
  /** When it moved the traffic of the release. */
  readonly moved?: Moved;
}

export type NewRollout = Pick<RolloutRecord, 'project' | 'number' | 'kind' | 'author' | 'from' | 'to' | 'startedMs'> & {
  readonly waves: readonly (readonly Step[])[];
  readonly readings: readonly LaneReading[];
};

/**
 * What every rollout has done and is about to do: each step written down before and after it acts. `begin` is on the
 * disk when it returns, and with it all that was written before; what a power cut takes of the rest is done once more.
 */
export interface Journal {
  nextNumber(project: string): number;
  /** Writes the whole plan down before the first step. */
  open(rollout: NewRollout): RolloutRecord;
  find(project: string, number: number): RolloutRecord | undefined;
  /** Newest first. */
  list(project: string): readonly RolloutRecord[];
  /** The latest that a person asked for; before the one that is given. */
  latest(project: string, before?: number): RolloutRecord | undefined;
  /** Releases to which a rollout has switched. */
  served(project: string): ReadonlySet<number>;
  /** Those that a killed daemon left open, and those that run. */
  unfinished(): readonly RolloutRecord[];
  /** In their order; the undoing ones stand behind the others. */
  steps(project: string, number: number): readonly StepRecord[];
  begin(rollout: RolloutRecord, seqs: readonly number[], nowMs: number): void;
  end(rollout: RolloutRecord, seq: number, ended: StepEnd): void;
  /** From now on this rollout goes backward. */
  turnBack(rollout: RolloutRecord, failure: Failure, waves: readonly (readonly Step[])[]): RolloutRecord;
  /** Ends it; gives the record as it is now. */
  close(rollout: RolloutRecord, ending: { readonly result: RolloutResult; readonly nowMs: number }): RolloutRecord;
  /** What the lanes had counted when the rollout ended, or later. */
  read(rollout: RolloutRecord, readings: readonly LaneReading[]): void;
  standing(project: string): Standing;
  setStanding(project: string, standing: Standing): void;
  /** Projects that have a standing that is not empty. */
  standingProjects(): readonly string[];
}

export interface StepEnd {
  readonly outcome: 'done' | 'failed';
  readonly durationMs: number;
  readonly reason?: string;
  readonly moved?: Moved;
}

const SCHEMA: Schema = {
  room: 'rollout',
  statements: [
    `CREATE TABLE rollouts (
       project TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, author TEXT NOT NULL,
       from_release INTEGER, to_release INTEGER, started_ms INTEGER NOT NULL, ended_ms INTEGER,
       phase TEXT NOT NULL, result TEXT, failure TEXT, readings TEXT NOT NULL,
       PRIMARY KEY (project, number)
     ) STRICT;
     CREATE INDEX open_rollouts ON rollouts (phase) WHERE phase <> 'ended';
     CREATE TABLE steps (
       project TEXT NOT NULL, rollout INTEGER NOT NULL, seq INTEGER NOT NULL, wave INTEGER NOT NULL,
       undoing INTEGER NOT NULL, body TEXT NOT NULL, started_ms INTEGER, duration_ms REAL,
       outcome TEXT NOT NULL, reason TEXT,
       PRIMARY KEY (project, rollout, seq),
       FOREIGN KEY (project, rollout) REFERENCES rollouts (project, number)
     ) STRICT;
     CREATE TABLE standings (project TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT`,
    `ALTER TABLE steps ADD COLUMN moved_from_ms REAL;
     ALTER TABLE steps ADD COLUMN moved_until_ms REAL`,
  ],
};

type Row = Record<string, unknown>;

/** The journal over the tables of the room `rollout`. */
export function openJournal(database: DatabaseSync): Journal {
  migrate(database, SCHEMA);
  const query = (sql: string, ...values: SQLInputValue[]): Row[] => database.prepare(sql).all(...values);
  const change = (sql: string, ...values: SQLInputValue[]): void => void database.prepare(sql).run(...values);

  /** Is on the disk with the next commit: before anything else is done, in its order. */
  const soon = <T>(work: () => T): T => withoutSync(database, work);

  const find = (project: string, number: number): RolloutRecord | undefined =>
    query('SELECT * FROM rollouts WHERE project = ? AND number = ?', project, number).map(recordOf)[0];
  const again = ({ project, number }: RolloutRecord): RolloutRecord => find(project, number)!;
  const insertSteps = (
    o: Pick<RolloutRecord, 'project' | 'number'>,
    from: StepPosition,
    waves: readonly (readonly Step[])[],
  ): void => {
    const insert = database.prepare(
      "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 'pending', NULL, NULL, NULL)",
    );
    let { seq } = from;
    for (const [wave, steps] of waves.entries()) {
      for (const each of steps)
        insert.run(o.project, o.number, seq++, wave + from.wave, from.undoing, JSON.stringify(each));
    }
  };
  const steps = (project: string, number: number): readonly StepRecord[] =>
    query('SELECT * FROM steps WHERE project = ? AND rollout = ? ORDER BY seq', project, number).map(stepOf);

  return {
    nextNumber: (project) =>
      Number(query('SELECT max(number) AS last FROM rollouts WHERE project = ?', project)[0]?.['last'] ?? 0) + 1,
    find,
    list: (project) => query('SELECT * FROM rollouts WHERE project = ? ORDER BY number DESC', project).map(recordOf),
    latest: (project, before = Number.MAX_SAFE_INTEGER) =>
      query(
        "SELECT * FROM rollouts WHERE project = ? AND number < ? AND kind NOT IN ('retire', 'heal') ORDER BY number DESC LIMIT 1",
        project,
        before,
      ).map(recordOf)[0],
    served: (project) =>
      new Set(
        query(
          "SELECT DISTINCT to_release FROM rollouts WHERE project = ? AND result = 'switched' AND to_release IS NOT NULL",
          project,
        ).map((row) => Number(row['to_release'])),
      ),
    unfinished: () => query("SELECT * FROM rollouts WHERE phase <> 'ended' ORDER BY started_ms").map(recordOf),
    steps,
    open: (o) => {
      const write = (): void => {
        change(
          "INSERT INTO rollouts VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'running', NULL, NULL, ?)",
          o.project,
          o.number,
          o.kind,
          o.author,
          o.from ?? null,
          o.to ?? null,
          o.startedMs,
          JSON.stringify(o.readings),
        );
        insertSteps(o, { seq: 0, wave: 0, undoing: 0 }, o.waves);
      };
      soon(() => inTransaction(database, write));
      return find(o.project, o.number)!;
    },
    begin: (o, seqs, nowMs) =>
      inTransaction(database, () => {
        for (const seq of seqs) {
          change(
            "UPDATE steps SET outcome = 'running', started_ms = ? WHERE project = ? AND rollout = ? AND seq = ?",
            nowMs,
            o.project,
            o.number,
            seq,
          );
        }
      }),
    end: (o, seq, { outcome, durationMs, reason, moved }) =>
      soon(() =>
        change(
          `UPDATE steps SET outcome = ?, duration_ms = ?, reason = ?, moved_from_ms = ?, moved_until_ms = ?
           WHERE project = ? AND rollout = ? AND seq = ?`,
          outcome,
          durationMs,
          reason ?? null,
          moved?.fromMs ?? null,
          moved?.untilMs ?? null,
          o.project,
          o.number,
          seq,
        ),
      ),
    turnBack: (o, failure, waves) => {
      inTransaction(database, () => {
        const known = steps(o.project, o.number);
        const position = {
          seq: known.length,
          wave: Math.max(-1, ...known.map(({ wave }) => wave)) + 1,
          undoing: 1 as const,
        };
        insertSteps(o, position, waves);
        change(
          "UPDATE rollouts SET phase = 'undoing', failure = ? WHERE project = ? AND number = ?",
          JSON.stringify(failure),
          o.project,
          o.number,
        );
      });
      return again(o);
    },
    close: (o, { result, nowMs }) => {
      change(
        "UPDATE rollouts SET phase = 'ended', result = ?, ended_ms = ? WHERE project = ? AND number = ?",
        result,
        nowMs,
        o.project,
        o.number,
      );
      return again(o);
    },
    read: (o, readings) =>
      soon(() =>
        change(
          'UPDATE rollouts SET readings = ? WHERE project = ? AND number = ?',
          JSON.stringify(readings),
          o.project,
          o.number,
        ),
      ),
    standing: (project) => {
      const body = query('SELECT body FROM standings WHERE project = ?', project)[0]?.['body'];
      return body === undefined ? EMPTY_STANDING : (JSON.parse(String(body)) as Standing);
    },
    setStanding: (project, standing) =>
      change(
        'INSERT INTO standings VALUES (?, ?) ON CONFLICT (project) DO UPDATE SET body = excluded.body',
        project,
        JSON.stringify(standing),
      ),
    standingProjects: () =>
      query('SELECT project FROM standings ORDER BY project').map((row) => String(row['project'])),
  };
}

interface StepPosition {
  readonly seq: number;
  readonly wave: number;
  readonly undoing: 0 | 1;
}

function recordOf(row: Row): RolloutRecord {
  return {
    project: String(row['project']),
    number: Number(row['number']),
    kind: row['kind'] as RolloutKind,
    author: String(row['author']),
    ...(row['from_release'] === null ? {} : { from: Number(row['from_release']) }),
    ...(row['to_release'] === null ? {} : { to: Number(row['to_release']) }),
    startedMs: Number(row['started_ms']),
    ...(row['ended_ms'] === null ? {} : { endedMs: Number(row['ended_ms']) }),
    phase: row['phase'] as RolloutRecord['phase'],
    ...(row['result'] === null ? {} : { result: row['result'] as RolloutResult }),
    ...(row['failure'] === null ? {} : { failure: JSON.parse(String(row['failure'])) as Failure }),
    readings: JSON.parse(String(row['readings'])) as readonly LaneReading[],
  };
}

function stepOf(row: Row): StepRecord {
  return {
    seq: Number(row['seq']),
    wave: Number(row['wave']),
    undoing: row['undoing'] === 1,
    step: JSON.parse(String(row['body'])) as Step,
    ...(row['started_ms'] === null ? {} : { startedMs: Number(row['started_ms']) }),
    ...(row['duration_ms'] === null ? {} : { durationMs: Number(row['duration_ms']) }),
    outcome: row['outcome'] as StepRecord['outcome'],
    ...(row['reason'] === null ? {} : { reason: String(row['reason']) }),
    ...(row['moved_from_ms'] === null
      ? {}
      : { moved: { fromMs: Number(row['moved_from_ms']), untilMs: Number(row['moved_until_ms']) } }),
  };
}
