import type { DatabaseSync } from 'node:sqlite';
import { migrate, type Schema } from '../../../lib/database.ts';

export interface JobKey {
  readonly project: string;
  readonly release: number;
  readonly job: string;
}

/** One attempt of a job. Without `ended` it was begun, and is known to run or to have been cut. */
export interface JobRun {
  /** Counts from 1. */
  readonly attempt: number;
  readonly startedMs: number;
  readonly ended?: JobEnd;
}

export interface JobEnd {
  readonly outcome: 'succeeded' | 'failed' | 'timeout';
  readonly endedMs: number;
  readonly exitCode?: number;
  /** Why it failed, in a few words. */
  readonly reason?: string;
  /** The last lines that it printed. */
  readonly lines: readonly string[];
}

/** What is known of jobs: written down before an attempt begins and when it has ended, kept for ever. */
export interface JobRuns {
  /** In the order of the attempts. */
  of(key: JobKey): readonly JobRun[];
  begin(key: JobKey, run: { readonly attempt: number; readonly startedMs: number; readonly migration?: string }): void;
  end(key: JobKey, attempt: number, ended: JobEnd): void;
  /** Contracting migrations that were begun: with them began what older releases cannot live with. */
  contracts(project: string): readonly { readonly release: number; readonly job: string }[];
}

const SCHEMA: Schema = {
  room: 'rollout-jobs',
  statements: [
    `CREATE TABLE job_runs (
       project TEXT NOT NULL, release INTEGER NOT NULL, job TEXT NOT NULL, attempt INTEGER NOT NULL,
       migration TEXT, started_ms INTEGER NOT NULL, ended TEXT,
       PRIMARY KEY (project, release, job, attempt)
     ) STRICT`,
  ],
};

export function openJobRuns(database: DatabaseSync): JobRuns {
  migrate(database, SCHEMA);
  return {
    of: ({ project, release, job }) =>
      database
        .prepare(
          'SELECT attempt, started_ms, ended FROM job_runs WHERE project = ? AND release = ? AND job = ? ORDER BY attempt',
        )
        .all(project, release, job)
        .map(runOf),
    begin: ({ project, release, job }, { attempt, startedMs, migration }) =>
      void database
        .prepare('INSERT INTO job_runs VALUES (?, ?, ?, ?, ?, ?, NULL)')
        .run(project, release, job, attempt, migration ?? null, startedMs),
    end: ({ project, release, job }, attempt, ended) =>
      void database
        .prepare('UPDATE job_runs SET ended = ? WHERE project = ? AND release = ? AND job = ? AND attempt = ?')
        .run(JSON.stringify(ended), project, release, job, attempt),
    contracts: (project) =>
      database
        .prepare(
          "SELECT DISTINCT release, job FROM job_runs WHERE project = ? AND migration = 'contract' ORDER BY release DESC",
        )
        .all(project)
        .map(({ release, job }) => ({ release: Number(release), job: String(job) })),
  };
}

function runOf(row: Record<string, unknown>): JobRun {
  const { attempt, started_ms: startedMs, ended } = row;
  return {
    attempt: Number(attempt),
    startedMs: Number(startedMs),
    ...(typeof ended === 'string' ? { ended: JSON.parse(ended) as JobEnd } : {}),
  };
}
