import type { Row, Statements } from './statements.ts';

export interface UploadRow {
  readonly id: string;
  readonly repository: string;
  readonly touchedAt: number;
}

/** Uploads that have begun and not ended. A power cut may lose them: their clients begin anew. */
export class UploadRecords {
  readonly #records: Statements;
  readonly #now: () => number;

  constructor(records: Statements, now: () => number) {
    this.#records = records;
    this.#now = now;
  }

  insert(id: string, repository: string): void {
    this.#records.runWithoutSync('INSERT INTO upload VALUES (?, ?, ?)', id, repository, this.#now());
  }

  find(id: string): UploadRow | undefined {
    const row = this.#records.one('SELECT * FROM upload WHERE id = ?', id);
    return row === undefined ? undefined : uploadOf(row);
  }

  /** How many there are, of one repository and of all. */
  count(repository: string): { readonly here: number; readonly all: number } {
    const sql = 'SELECT count(*) AS everywhere, count(*) FILTER (WHERE repository = ?) AS here FROM upload';
    const row = this.#records.one(sql, repository);
    return { here: Number(row?.['here'] ?? 0), all: Number(row?.['everywhere'] ?? 0) };
  }

  all(): readonly UploadRow[] {
    return this.#records.all('SELECT * FROM upload').map(uploadOf);
  }

  touch(id: string): void {
    this.#records.runWithoutSync('UPDATE upload SET touched_at = ? WHERE id = ?', this.#now(), id);
  }

  delete(id: string): void {
    this.#records.runWithoutSync('DELETE FROM upload WHERE id = ?', id);
  }
}

function uploadOf(row: Row): UploadRow {
  return { id: String(row['id']), repository: String(row['repository']), touchedAt: Number(row['touched_at']) };
}
