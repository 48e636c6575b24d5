import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLimiter, allOrNone } from './limiter.ts';
import { delayOf, retryAfterOf } from './retry.ts';

describe('trying again', () => {
  it('waits longer each time, and as long as it is told', () => {
    const o = { firstDelayMs: 500, random: 1, toldMs: undefined };
    assert.deepEqual(
      [1, 2, 3, 9].map((attempt) => delayOf(attempt, o)),
      [500, 1_000, 2_000, 15_000],
    );
    assert.equal(delayOf(1, { ...o, random: 0 }), 250);
    assert.equal(delayOf(1, { ...o, toldMs: 3_000 }), 3_000);
    assert.equal(delayOf(1, { ...o, toldMs: 1e9 }), 60_000);
  });

  it('understands seconds and dates', () => {
    const now = new Date('2026-01-01T00:00:00Z');
    assert.equal(retryAfterOf('7', now), 7_000);
    assert.equal(retryAfterOf('Thu, 01 Jan 2026 00:00:09 GMT', now), 9_000);
    assert.equal(retryAfterOf('soon', now), undefined);
    assert.equal(retryAfterOf(undefined, now), undefined);
  });
});

describe('so many at a time', () => {
  it('and the others in their order', async () => {
    const limiter = createLimiter(2);
    const order: number[] = [];
    let running = 0;
    const works = [1, 2, 3, 4, 5].map((number) =>
      limiter.do(async () => {
        assert.ok(++running <= 2);
        order.push(number);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (number === 2) throw new Error('two');
      }),
    );
    await Promise.allSettled(works);
    assert.deepEqual(order, [1, 2, 3, 4, 5]);
  });

  it('all or none: the first failure stops the others and is the one that is told', async () => {
    const ended: string[] = [];
    const slow = async (signal: AbortSignal): Promise<void> => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.push('slow');
      signal.throwIfAborted();
    };
    const fails = (): Promise<void> => Promise.reject(new Error('first'));
    await assert.rejects(allOrNone([slow, fails], undefined), /first/);
    assert.deepEqual(ended, ['slow']);
  });
});
