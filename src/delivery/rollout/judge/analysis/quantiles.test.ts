import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addDurations, mergeQuantiles, NO_DURATIONS, quantileOf, slowThresholdOf } from './index.ts';

const durations = fc.array(fc.double({ min: 0.02, max: 3_000_000, noNaN: true }), { minLength: 1, maxLength: 200 });

describe('quantiles of durations', () => {
  it('are right to one percent', () => {
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
        const estimate = quantileOf(addDurations(NO_DURATIONS, values), q) ?? 0;
        assert.ok(Math.abs(estimate - exact) <= exact * 0.010_001, `${estimate} for ${exact}`);
      }),
    );
  });

  it('are the same whether merged or counted together, and after a round trip through JSON', () => {
    fc.assert(
      fc.property(durations, durations, (a, b) => {
        const together = addDurations(addDurations(NO_DURATIONS, a), b);
        const merged = mergeQuantiles(addDurations(NO_DURATIONS, b), addDurations(NO_DURATIONS, a));
        assert.deepEqual(merged, together);
        assert.deepEqual(JSON.parse(JSON.stringify(together)), together);
      }),
    );
  });

  it('are undefined without durations', () => {
    assert.equal(quantileOf(NO_DURATIONS, 0.5), undefined);
  });

  it('need little memory, whatever comes', () => {
    const wild = Array.from({ length: 100_000 }, (_, index) => 1e-9 * 1.001 ** index);
    assert.ok(addDurations(NO_DURATIONS, [0, -1, Number.POSITIVE_INFINITY, ...wild]).buckets.length < 1_500);
  });
});

describe('the threshold of slowness', () => {
  const of = (ms: number, count = 200) => addDurations(NO_DURATIONS, Array<number>(count).fill(ms));

  it('lies a tenth above the p95 of stable, where that is long', () => {
    assert.ok(Math.abs((slowThresholdOf(of(1_000)) ?? 0) - 1_100) < 11.1);
  });

  it('lies 5 ms above it where that is short: noise of microseconds is not slowness', () => {
    assert.ok(Math.abs((slowThresholdOf(of(0.2)) ?? 0) - 5.2) < 0.01);
  });

  it('is not there before stable has answered enough', () => {
    assert.equal(slowThresholdOf(of(10, 99)), undefined);
    assert.notEqual(slowThresholdOf(of(10, 100)), undefined);
  });
});
