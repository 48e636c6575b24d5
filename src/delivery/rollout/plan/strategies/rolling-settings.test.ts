import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RollingSettings, UpdateConfig } from '../../../compose/index.ts';
import { rollSettings } from './rolling-settings.ts';

const read = (config: UpdateConfig = {}, rolling: RollingSettings = {}, kind: 'deploy' | 'rollback' = 'deploy') =>
  rollSettings({ kind, replicas: 8, config, rolling });

describe('how a service is replaced in batches', () => {
  it('is one at a time, the new one first, unless something else is said', () => {
    assert.deepEqual(read(), { parallelism: 1, maxUnavailable: 0, maxSurge: 1, delayMs: 0 });
  });

  it('follows update_config', () => {
    const config = { parallelism: 3, order: 'stop-first', delay: '1m30s', monitor: '5s', max_failure_ratio: 0.25 };
    assert.deepEqual(read(config), {
      parallelism: 3,
      maxUnavailable: 3,
      maxSurge: 0,
      delayMs: 90_000,
      monitor: { durationMs: 5_000, maxFailureRatio: 0.25, failureAction: 'rollback' },
    });
    assert.equal(read({ parallelism: 0 }).parallelism, 8, '0 is all at once');
    assert.equal(read({ parallelism: 100 }).parallelism, 8);
  });

  it('takes percentages of the replicas: missing ones rounded down, too many rounded up', () => {
    const { maxUnavailable, maxSurge } = read({}, { maxUnavailable: '30%', maxSurge: '30%' });
    assert.deepEqual([maxUnavailable, maxSurge], [2, 3]);
  });

  it('never rolls a rollback back', () => {
    const actionOf = (config: UpdateConfig, kind: 'deploy' | 'rollback') =>
      read({ monitor: '1s', ...config }, {}, kind).monitor?.failureAction;
    assert.equal(actionOf({}, 'rollback'), 'continue');
    assert.equal(actionOf({ failure_action: 'rollback' }, 'rollback'), 'continue');
    assert.equal(actionOf({ failure_action: 'pause' }, 'rollback'), 'pause');
    assert.equal(actionOf({ failure_action: 'continue' }, 'deploy'), 'continue');
  });
});
