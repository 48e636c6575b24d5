import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatAge, formatBytes, renderTable } from './table.ts';

describe('tables', () => {
  it('aligns columns and leaves no trailing blanks', () => {
    const text = renderTable(
      ['NAME', 'STATE'],
      [
        ['a-long-name', 'up'],
        ['b', ''],
      ],
    );
    assert.equal(text, 'NAME          STATE\na-long-name   up\nb\n');
  });

  it('says sizes as Docker does', () => {
    assert.deepEqual([0, 999, 1_500, 123_456_789, 2e12].map(formatBytes), ['0B', '999B', '1.50kB', '123MB', '2.00TB']);
  });

  it('says ages in one unit', () => {
    const now = new Date(100_000_000);
    assert.equal(formatAge(new Date(now.getTime() - 1_000), now), '1 second ago');
    assert.equal(formatAge(new Date(now.getTime() - 7_200_000), now), '2 hours ago');
  });
});
