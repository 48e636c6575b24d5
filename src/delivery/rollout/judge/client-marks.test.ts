import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countFirst, NO_MARKS } from './client-marks.ts';

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
