import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThread } from './thread.ts';

test('work is done with what it is given', async () => {
  const total = await runInThread(
    (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0),
    [1, 2, 3],
  );
  assert.equal(total, 6);
});

test('what it throws comes with its code', async () => {
  const read = (path: string): string => process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
  await assert.rejects(runInThread(read, '/nothing/here'), { code: 'ENOENT' });
});

test('shared memory is shared', async () => {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  await runInThread((shared: Int32Array) => Atomics.add(shared, 0, 7), cell);
  assert.equal(Atomics.load(cell, 0), 7);
});

test('it ends when it is cancelled', async () => {
  const cancel = new AbortController();
  const endless = (cell: Int32Array): string => Atomics.wait(cell, 0, 0);
  const work = runInThread(endless, new Int32Array(new SharedArrayBuffer(4)), cancel.signal);
  cancel.abort(new Error('enough'));
  await assert.rejects(work, { message: 'enough' });
});
