import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, type Schema } from '../../lib/database.ts';
import { UserError } from '../../lib/errors.ts';
import { defaultSettings } from '../compose/index.ts';
import type { Keyring } from './keyring.ts';
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

/**
 * The releases of all projects, over the tables of the room `release`. Rows are added, never changed; their bodies are
 * sealed: environments hold passwords.
 */
export function openReleases(o: { readonly database: DatabaseSync; readonly keyring: Keyring }): Releases {
  const { database, keyring } = o;
  migrate(database, SCHEMA);
  sealPlain(database, keyring);
  const insert = database.prepare('INSERT INTO releases (project, number, created_at, body) VALUES (?, ?, ?, ?)');
  const last = database.prepare('SELECT max(number) AS number FROM releases WHERE project = ?');
  const one = database.prepare(
    'SELECT project, number, created_at, body FROM releases WHERE project = ? AND number = ?',
  );
  const all = database.prepare(
    'SELECT project, number, created_at, body FROM releases WHERE project = ? ORDER BY number DESC',
  );
  const names = database.prepare('SELECT DISTINCT project FROM releases ORDER BY project');

  const nextNumber = (project: string): number => Number(last.get(project)?.['number'] ?? 0) + 1;
  const find = (project: string, number: number): Release | undefined => {
    const row = one.get(project, number);
    return row === undefined ? undefined : releaseOf(row, keyring);
  };

  return {
    create: (release, now) =>
      inTransaction(database, () => {
        const numbered = { ...release, number: nextNumber(release.project), createdAt: now };
        const body = sealBody(keyring, numbered, JSON.stringify(release));
        insert.run(release.project, numbered.number, now.toISOString(), body);
        return numbered;
      }),
    nextNumber,
    list: (project) => all.all(project).map((row) => releaseOf(row, keyring)),
    find,
    get: (project, number) => find(project, number) ?? missing(project, number),
    projects: () => names.all().map((row) => String(row['project'])),
  };
}

type RowName = Pick<Release, 'project' | 'number'>;

function sealBody(keyring: Keyring, { project, number }: RowName, body: string): string {
  return `${SEALED}${keyring.seal('release', `${project} ${number}`, Buffer.from(body)).toString('base64')}`;
}

const SEALED = 'sealed:';

/** What an older Bascule has written; nothing of it stays in the file's free pages. */
function sealPlain(database: DatabaseSync, keyring: Keyring): void {
  const plain = database.prepare(`SELECT project, number, body FROM releases WHERE body NOT LIKE '${SEALED}%'`).all();
  if (plain.length === 0) return;
  const update = database.prepare('UPDATE releases SET body = ? WHERE project = ? AND number = ?');
  database.exec('PRAGMA secure_delete = ON');
  inTransaction(database, () => {
    for (const { project, number, body } of plain) {
      const row = { project: String(project), number: Number(number) };
      update.run(sealBody(keyring, row, String(body)), row.project, row.number);
    }
  });
  database.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA secure_delete = OFF');
}

function releaseOf(row: Record<string, unknown>, keyring: Keyring): Release {
  const sealed = Buffer.from(String(row['body']).slice(SEALED.length), 'base64');
  const name = `${String(row['project'])} ${Number(row['number'])}`;
  const body = JSON.parse(keyring.open('release', name, sealed).toString('utf8')) as NewRelease;
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
