import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Ledger, ReleaseView } from '../../delivery/rollout/index.ts';
import { keepEngine } from './steady-engine.ts';

function deliveryWith(state: ReleaseView['state'], result: Ledger['result']) {
  return {
    projects: () => ['shop'],
    releases: async () => [{ state } as ReleaseView],
    ledgers: async () => [{ result } as Ledger],
  };
}

describe('the engine of a root', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-engine-'));
  after(() => rmSync(directory, { recursive: true }));
  const noted = (): string => readFileSync(join(directory, 'engine'), 'utf8');
  const standing = deliveryWith('current', 'switched');

  it('is noted, and stays while anything runs or is under way on it', async () => {
    await keepEngine({ engine: 'unix:///a', directory, delivery: standing });
    await keepEngine({ engine: 'unix:///a', directory, delivery: standing });
    for (const delivery of [standing, deliveryWith('warm', 'switched'), deliveryWith('failed', 'running')])
      await assert.rejects(keepEngine({ engine: 'embedded', directory, delivery }), {
        code: 'engine-switched',
        kind: 'conflict',
        message: 'shop runs on the engine unix:///a; the daemon was to drive embedded',
        fix: /daemon config set engine unix:\/\/\/a/,
      });
    assert.equal(noted(), 'unix:///a\n');
  });

  it('changes when nothing runs on it', async () => {
    await keepEngine({ engine: 'embedded', directory, delivery: deliveryWith('kept', 'removed') });
    assert.equal(noted(), 'embedded\n');
  });
});
