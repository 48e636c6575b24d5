import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { logDriverOf } from './log-driver-spec.ts';

describe('log drivers', () => {
  const driver = (Type: string, Config: Record<string, string> = {}) => logDriverOf({ LogConfig: { Type, Config } });

  it('have Docker’s limits, and those that are asked for', () => {
    assert.deepEqual(logDriverOf({}), { type: 'json-file' });
    assert.deepEqual(driver('local'), { type: 'local', maxSizeBytes: 20_000_000, maxFiles: 5 });
    assert.deepEqual(driver('json-file', { 'max-size': '10k' }), {
      type: 'json-file',
      maxSizeBytes: 10_000,
      maxFiles: 1,
    });
    assert.deepEqual(driver('json-file', { 'max-size': '1.5m', 'max-file': '3' }), {
      type: 'json-file',
      maxSizeBytes: 1_500_000,
      maxFiles: 3,
    });
    assert.deepEqual(driver('none', { 'max-size': 'x' }), { type: 'none' });
  });

  it('refuse what they do not know', () => {
    for (const [type, options, message] of [
      ['syslog', {}, /plugin "syslog" not found/],
      ['json-file', { foo: '1' }, /^unknown log opt 'foo' for json-file log driver$/],
      ['local', { labels: 'a' }, /^unknown log opt 'labels' for log driver local$/],
      ['json-file', { mode: 'x' }, /logging mode not supported: x/],
      ['json-file', { 'max-buffer-size': '1m' }, /only supported with 'mode=non-blocking'/],
      ['json-file', { 'max-size': 'x' }, /invalid size: 'x'/],
      ['json-file', { 'max-size': '1m', 'max-file': '0' }, /max-file cannot be less than 1/],
      ['json-file', { 'max-file': '3' }, /max-file cannot be used without max-size/],
      ['json-file', { compress: 'true' }, /compress=true/],
    ] as const)
      assert.throws(() => driver(type, { ...options }), { message });
  });
});
