import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_ANALYSIS, newAnalysis, observe, verdictOf } from './analysis/index.ts';
import { type ClientMarks, countFirst, NO_MARKS } from './client-marks.ts';

describe('the first hit of a client', () => {
  it('is counted once, also when the marks have been written down between', () => {
    const one = countFirst(NO_MARKS, [{ client: 0 }, { client: 9_999 }, { client: 0 }]);
    assert.equal(one.first, 2);
    const again = countFirst(JSON.parse(JSON.stringify(one.marks)) as string, [{ client: 9_999 }, { client: 8 }]);
    assert.equal(again.first, 1);
    assert.ok(again.marks.length < 1_700, `${again.marks.length}`);
  });

  it('is every hit of clients without a bucket of their own', () => {
    const fresh = { client: 7, isNewClient: true } as const;
    assert.equal(countFirst(NO_MARKS, [{}, {}, fresh, fresh]).first, 4);
  });

  it('is that of the request that brought a new client its bucket', () => {
    assert.equal(countFirst(NO_MARKS, [{ client: 7, isNewClient: true }, { client: 7 }]).first, 1);
  });
});

describe('clients that stay on their side', () => {
  it('are no evidence against a candidate like stable, also when the weight grows after most of them have failed once', () => {
    let marks: ClientMarks = NO_MARKS;
    let state = newAnalysis({ ...DEFAULT_ANALYSIS, metrics: ['errors'] });
    // Every client's every twentieth request fails: the buckets come one after the other, at a stride without a pattern.
    for (let look = 0; look < 400; look++) {
      const weight = look < 200 ? 500 : 5_000;
      const sides = {
        stable: { requests: 0, failed: 0, firstFailed: 0, slow: 0 },
        candidate: { requests: 0, failed: 0, firstFailed: 0, slow: 0 },
      };
      for (let request = 0; request < 1_000; request++) {
        const count = look * 1_000 + request;
        const client = (count * 7_919) % 10_000;
        const side = sides[client < weight ? 'candidate' : 'stable'];
        side.requests++;
        if ((Math.floor(count / 10_000) * 31 + client * 17) % 20 !== 0) continue;
        const counted = countFirst(marks, [{ client }]);
        marks = counted.marks;
        side.failed++;
        side.firstFailed += counted.first;
      }
      state = observe(state, sides);
    }
    const [errors] = verdictOf(state, { share: 5_000 }).metrics;
    assert.ok((errors?.candidate.hits ?? 0) > 5_000);
    assert.notEqual(errors?.verdict, 'fail');
  });
});
