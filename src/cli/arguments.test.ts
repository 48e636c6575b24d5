import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMoment } from './arguments.ts';

describe('moments', () => {
  const now = new Date('2026-05-01T12:00:00Z');

  it('are times, or how long ago', () => {
    const moments = ['2026-05-01T11:00:00Z', '2026-05-01', '10m', '1h30m', '0'].map((text) => parseMoment(text, now));
    assert.deepEqual(
      moments.map((moment) => moment.toISOString().slice(0, 16)),
      ['2026-05-01T11:00', '2026-05-01T00:00', '2026-05-01T11:50', '2026-05-01T10:30', '2026-05-01T12:00'],
    );
  });

  it('are not anything else', () => {
    for (const text of ['rubbish', '', '10', '-1m', '2026-13-77', '9999999999999h'])
      assert.throws(() => parseMoment(text, now), /must be a time/, text);
  });
});
