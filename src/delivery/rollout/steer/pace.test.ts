import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fullAllowance, type Pace, take } from './pace.ts';

const PACE: Pace = { burst: 10, refillMs: 200 };

/** When each of the takers that come at these moments may go on; one waits for the one before. */
function moments(comingMs: readonly number[]): readonly number[] {
  let allowance = fullAllowance(PACE, 0);
  let freeMs = 0;
  return comingMs.map((coming) => {
    const nowMs = Math.max(coming, freeMs);
    const taken = take(PACE, allowance, nowMs);
    allowance = taken.allowance;
    freeMs = nowMs + taken.waitMs;
    return freeMs;
  });
}

describe('a pace', () => {
  it('lets a burst through at once, then one each refill', () => {
    const sent = moments(Array.from({ length: 13 }, () => 0));
    assert.deepEqual(sent, [...Array.from({ length: 10 }, () => 0), 200, 400, 600]);
  });

  it('fills up again while nothing happens, and never beyond the burst', () => {
    const later = Array.from({ length: 12 }, () => 1_000_000);
    assert.deepEqual(moments([...Array.from({ length: 10 }, () => 0), ...later]).slice(10), [
      ...Array.from({ length: 10 }, () => 1_000_000),
      1_000_200,
      1_000_400,
    ]);
  });

  it('never lets more through in any time than the burst and what was refilled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 20, maxLength: 200 }), (pauses) => {
        let at = 0;
        const sent = moments(pauses.map((pause) => (at += pause)));
        for (const [index, from] of sent.entries()) {
          for (const [further, to] of sent.slice(index).entries())
            assert.ok(further + 1 <= PACE.burst + (to - from) / PACE.refillMs + 1 + 1e-6);
        }
      }),
    );
  });
});
