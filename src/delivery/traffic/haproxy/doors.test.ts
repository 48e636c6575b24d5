import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { chooseDoor, DOORS, keepDoor } from './doors.ts';

describe('doors', () => {
  const run = mkdtempSync(join(tmpdir(), 'bascule-doors-'));
  after(() => rmSync(run, { recursive: true }));
  const [mine, other] = [join(run, 'bascule-00000001'), join(run, 'bascule')];
  for (const directory of [mine, other, join(run, 'bascule-doors')]) mkdirSync(directory);

  it('that another root has chosen are left to it, though nobody listens there', async () => {
    const left = DOORS.slice(-8);
    for (const port of DOORS) if (!left.includes(port)) await keepDoor(other, port);
    const first = await chooseDoor(mine, []);
    const second = await chooseDoor(mine, [first]);
    assert.ok(left.includes(first) && left.includes(second) && first !== second, `${first} ${second}`);
    await keepDoor(mine, first); // after a restart
    for (const port of left) await keepDoor(other, port);
    await assert.rejects(chooseDoor(mine, [first, second]), { code: 'no-free-port' });
  });
});
