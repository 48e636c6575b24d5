import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StepRecord } from '../execute/journal.ts';
import { switchDuration } from './switch-duration.ts';

describe('how long a switch took', () => {
  it('is from the first write that decides to the answer of the last, not what is written down before', () => {
    const http = stepOf('switch-routes', { durationMs: 9, moved: { fromMs: 1_000.5, untilMs: 1_001 } });
    const tcp = stepOf('switch-tcp', { durationMs: 12, moved: { fromMs: 1_002, untilMs: 1_006 } });
    assert.equal(switchDuration([http]), 0.5);
    assert.equal(switchDuration([http, tcp]), 5.5);
  });

  it('is of the last wave that moved traffic', () => {
    const first = stepOf('switch-tcp', { wave: 1, durationMs: 9, moved: { fromMs: 1, untilMs: 8 } });
    const last = stepOf('switch-routes', { wave: 2, durationMs: 9, moved: { fromMs: 100, untilMs: 101 } });
    assert.equal(switchDuration([first, last]), 1);
  });

  it('is that of the longest step where no moments were recorded', () => {
    assert.equal(
      switchDuration([stepOf('switch-routes', { durationMs: 3 }), stepOf('switch-tcp', { durationMs: 7 })]),
      7,
    );
    assert.equal(switchDuration([stepOf('switch-routes', { outcome: 'failed', durationMs: 3 })]), undefined);
    assert.equal(switchDuration([]), undefined);
  });
});

function stepOf(kind: 'switch-routes' | 'switch-tcp', o: Partial<StepRecord>): StepRecord {
  const step = kind === 'switch-routes' ? { kind, changes: [] } : { kind, route: 'p/db/5432', port: 5432 };
  return { seq: 0, wave: 1, undoing: false, outcome: 'done', ...o, step: { ...step, cause: '' } as StepRecord['step'] };
}
