import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../lib/errors.ts';
import { exitCodeOf, exitCodeOfFailure, exitCodeOfOutcome } from './exit-codes.ts';

const failure = (code?: string) => ({
  cancelled: false,
  reason: 'r',
  fix: 'f',
  logs: [],
  ...(code === undefined ? {} : { code }),
});
const undone = (code?: string): UserError =>
  new UserError({
    code: 'rollout-failed',
    kind: 'failed',
    message: 'm',
    fix: 'f',
    details: { outcome: { failure: failure(code) } },
  });

describe('exit codes', () => {
  it('tell a release that was found worse from one that failed', () => {
    const codes = ['rollout-worse', 'rollout-guard', 'rollout-insufficient', 'instance-unhealthy', undefined];
    assert.deepEqual(
      codes.map((code) => exitCodeOf(undone(code))),
      [9, 9, 9, 1, 1],
    );
    assert.deepEqual(
      codes.map((code) => exitCodeOfFailure(failure(code))),
      [9, 9, 9, 1, 1],
    );
    assert.equal(exitCodeOfFailure({ ...failure('rollout-worse'), cancelled: true }), 130);
  });

  it('tell that requests were lost', () => {
    assert.equal(exitCodeOfOutcome({ kind: 'deploy', totals: { requests: 9, lost: 1 } }), 8);
    assert.equal(exitCodeOfOutcome({ kind: 'down', totals: { requests: 9, lost: 1 } }), 0);
    assert.equal(exitCodeOfOutcome({ kind: 'deploy', totals: { requests: 9, lost: 0 } }), 0);
    assert.equal(exitCodeOfOutcome({ kind: 'up' }), 0);
  });

  it('tell a bug', () => {
    assert.equal(exitCodeOf(new Error('bug')), 70);
  });
});
