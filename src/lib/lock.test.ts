import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { UserError } from './errors.ts';
import { acquireLock } from './lock.ts';

it('lets one holder at a time in, and the next one after it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-lock-'));
  try {
    const path = join(directory, 'lock');
    {
      using _held = acquireLock(path, 'the folder');
      assert.throws(
        () => acquireLock(path, 'the folder'),
        (error) => error instanceof UserError && error.code === 'locked',
      );
    }
    acquireLock(path, 'the folder')[Symbol.dispose]();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
