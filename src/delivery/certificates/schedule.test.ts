import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Attempts, afterFailure, renewalMs, sleepMs } from './schedule.ts';

const HOUR_MS = 3_600_000;
const chance = fc.double({ min: 0, max: 1, noNaN: true });

describe('when certificates are renewed', () => {
  it('is at two thirds of their life, never much earlier and never later', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60_000, max: 400 * 24 * HOUR_MS }), chance, (lifeMs, dice) => {
        const [notBefore, notAfter] = [new Date(1e12), new Date(1e12 + lifeMs)];
        const atMs = renewalMs({ notBefore, notAfter }, { nowMs: 1e12, chance: dice });
        const share = (atMs - 1e12) / lifeMs;
        assert.ok((share > 0.64 && share < 0.667) || atMs === 1e12 + 60_000, String(share));
      }),
    );
  });

  it('is not at once again for one that is old when it comes', () => {
    const [notBefore, notAfter] = [new Date(0), new Date(30 * HOUR_MS)];
    assert.equal(renewalMs({ notBefore, notAfter }, { nowMs: 27 * HOUR_MS, chance: 0 }), 28 * HOUR_MS);
    assert.equal(renewalMs({ notBefore, notAfter }, { nowMs: 40 * HOUR_MS, chance: 0 }), 40 * HOUR_MS + 60_000);
  });

  it('is later and later after failures, at most every 15 hours, and tells the last reason', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), chance, (failures, dice) => {
        let attempts: Attempts | undefined;
        let waitMs = 0;
        for (let count = 1; count <= failures; count++) {
          attempts = afterFailure(attempts, { nowMs: 0, reason: `try ${count}`, chance: dice });
          assert.ok(attempts.nextMs >= waitMs && attempts.nextMs >= 60_000 && attempts.nextMs <= 15 * HOUR_MS);
          waitMs = attempts.nextMs;
        }
        assert.deepEqual(attempts?.lastFailure, { atMs: 0, reason: `try ${failures}` });
      }),
    );
  });

  it('is looked at when the first is due, and at least every hour', () => {
    assert.equal(sleepMs([], 0), HOUR_MS);
    assert.equal(sleepMs([5_000, 7_000], 1_000), 4_000);
    assert.equal(sleepMs([500, 9e15], 1_000), 0);
  });
});
