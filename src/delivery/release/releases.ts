import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, type Schema } from '../../lib/database.ts';
import { UserError } from '../../lib/errors.ts';
import { defaultSettings } from '../compose/index.ts';
import type { NewRelease, Release, Releases } from './release.ts';

const SCHEMA: Schema = {
  room: 'release',
  statements: [
    `CREATE TABLE releases (
       project TEXT NOT NULL,
       number INTEGER NOT NULL,
       created_at TEXT NOT NULL,
       body TEXT NOT NULL,
       PRIMARY KEY (project, number)
     ) STRICT`,
  ],
};

/** The releases of all projects, over the tables of the room `release`. Rows are added, never changed. */
export function openReleases(o: { readonly database: DatabaseSync }): Releases {
  const { database } = o;
  migrate(database, SCHEMA);
  const insert = database.prepare('INSERT INTO releases (project, number, created_at, body) VALUES (?, ?, ?, ?)');
  const last = database.prepare('SELECT max(number) AS number FROM releases WHERE project = ?');
  const one = database.prepare('SELECT number, created_at, body FROM releases WHERE project = ? AND number = ?');
  const all = database.prepare('SELECT number, created_at, body FROM releases WHERE project = ? ORDER BY number DESC');
  const names = database.prepare('SELECT DISTINCT project FROM releases ORDER BY project');

  const nextNumber = (project: string): number => Number(last.get(project)?.['number'] ?? 0) + 1;
  const find = (project: string, number: number): Release | undefined => {
    const row = one.get(project, number);
    return row === undefined ? undefined : releaseOf(row);
  };

  return {
    create: (release, now) =>
      inTransaction(database, () => {
        const numbered = { ...release, number: nextNumber(release.project), createdAt: now };
        insert.run(release.project, numbered.number, now.toISOString(), JSON.stringify(release));
        return numbered;
      }),
    nextNumber,
    list: (project) => all.all(project).map(releaseOf),
    find,
    get: (project, number) => find(project, number) ?? missing(project, number),
    projects: () => names.all().map((row) => String(row['project'])),
  };
}

function releaseOf(row: Record<string, unknown>): Release {
  const body = JSON.parse(String(row['body'])) as NewRelease;
  // A release that an older Bascule froze knows nothing of newer settings.
  const settings = { ...defaultSettings(), ...body.model.settings };
  return {
    ...body,
    model: { ...body.model, settings },
    number: Number(row['number']),
    createdAt: new Date(String(row['created_at'])),
  };
}

function missing(project: string, number: number): never {
  throw new UserError({
    code: 'release-not-found',
    kind: 'not-found',
    message: `project "${project}" has no release ${number}`,
    fix: 'Run `bascule releases` to see which there are.',
    details: { project, release: number },
  });
}
