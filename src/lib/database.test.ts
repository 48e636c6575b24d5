import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDatabase, withoutSync } from './database.ts';

const FULL = 2;
const NORMAL = 1;

describe('records that may be lost in a power cut', () => {
  it('are committed without waiting for the disk; all others wait again, whatever happened', () => {
    const directory = mkdtempSync(join(tmpdir(), 'bascule-database-'));
    const database = openDatabase(join(directory, 'x.db'));
    try {
      const level = (): unknown => database.prepare('PRAGMA synchronous').get()?.['synchronous'];
      assert.equal(level(), FULL);
      assert.equal(withoutSync(database, level), NORMAL);
      assert.equal(level(), FULL);
      assert.throws(() => withoutSync(database, () => assert.fail('in between')), /in between/);
      assert.equal(level(), FULL);
    } finally {
      database.close();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('a database', () => {
  it('is read by its owner alone, with the files beside it, also one that had another mode', () => {
    const directory = mkdtempSync(join(tmpdir(), 'bascule-database-'));
    const path = join(directory, 'x.db');
    const modes = (): unknown => readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o777);
    const database = openDatabase(path);
    try {
      database.exec('CREATE TABLE t (x)');
      assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
      for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644);
      openDatabase(path).close();
      assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
    } finally {
      database.close();
      rmSync(directory, { recursive: true });
    }
  });
});
