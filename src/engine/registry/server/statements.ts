import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction, migrate, withoutSync } from '../../../lib/database.ts';
import { CATALOGUE_SCHEMA } from './schema.ts';

export type Value = string | number | null | Buffer;
export type Row = Record<string, unknown>;

/** The registry's database, with each statement prepared once. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    migrate(database, CATALOGUE_SCHEMA);
    this.#database = database;
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.#database, work);
  }

  /** What `work` says, and nothing of what it did. */
  tryOut<T>(work: () => T): T {
    this.#database.exec('BEGIN');
    try {
      return work();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  /** For what may be lost in a power cut, though not in a crash; not inside a transaction. */
  runWithoutSync(sql: string, ...values: readonly Value[]): number {
    return withoutSync(this.#database, () => this.run(sql, ...values));
  }

  one(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#statement(sql).all(...values);
  }

  /** Row by row, as they are asked for: they need not fit into memory together. */
  *each(sql: string, ...values: readonly Value[]): Generator<Row> {
    yield* this.#database.prepare(sql).iterate(...values);
  }

  /** @returns how many rows it changed */
  run(sql: string, ...values: readonly Value[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #statement(sql: string): StatementSync {
    const known = this.#prepared.get(sql) ?? this.#database.prepare(sql);
    this.#prepared.set(sql, known);
    return known;
  }
}
