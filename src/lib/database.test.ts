import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
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
