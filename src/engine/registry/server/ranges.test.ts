import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chunkRange, progressRange, requestedRange } from './ranges.ts';

describe('ranges', () => {
  it('that are asked for lie within the content, whatever is asked', () => {
    const bound = fc.option(fc.nat(2_000), { nil: undefined });
    fc.assert(
      fc.property(bound, bound, fc.nat(1_000), (first, last, sizeBytes) => {
        const range = requestedRange(`bytes=${first ?? ''}-${last ?? ''}`, sizeBytes);
        if (typeof range === 'object')
          assert.ok(range.start >= 0 && range.start <= range.end && range.end < sizeBytes, JSON.stringify(range));
        else if (first !== undefined && last === undefined) assert.equal(range, 'unsatisfiable');
      }),
    );
  });

  it('of chunks are taken in the form of the specification, and as HTTP has them', () => {
    assert.deepEqual(chunkRange('0-999'), { start: 0, end: 999 });
    assert.deepEqual(chunkRange('bytes 5-9/100'), { start: 5, end: 9 });
    for (const text of ['', '5', '5-', '-5', '9-5', 'a-b', '1-2,3-4']) assert.equal(chunkRange(text), undefined, text);
  });

  it('of what has come end with its last byte', () => {
    assert.deepEqual([0, 1, 1_000].map(progressRange), ['0-0', '0-0', '0-999']);
  });
});
