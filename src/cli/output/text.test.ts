import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clip, formatMs, formatNumber, formatShare, inert, inertLines, widthOf, wrap } from './text.ts';

describe('text in columns', () => {
  it('counts what a terminal shows', () => {
    assert.deepEqual(['abc', '\u001b[31mabc\u001b[39m', '日本', 'e\u0301', '→░█✓'].map(widthOf), [3, 3, 4, 1, 4]);
  });

  it('is cut with a mark, and colours end', () => {
    assert.equal(clip('abcdef', 6), 'abcdef');
    assert.equal(clip('abcdef', 4), 'abc…');
    assert.equal(clip('\u001b[31mabcdef\u001b[39m', 4), '\u001b[31mabc…\u001b[0m');
    assert.equal(clip('日本語', 4), '日…');
  });

  it('is broken at blanks, and words that are too long are cut', () => {
    assert.deepEqual(wrap('one two three', 7), ['one two', 'three']);
    assert.deepEqual(wrap('abcdefghij x', 5), ['abcd…', 'x']);
  });

  it('cannot steer the terminal', () => {
    assert.equal(inert(' a\u001b[2Jb\nc\u0007 '), 'ab c');
    assert.equal(inertLines(' a\u001b[2Jb\n\tc\rd\be'), ' ab\n\tc d e');
    assert.equal(inertLines('\u001b[\u001b[31m2J'), ' [2J');
  });

  it('writes figures as people do', () => {
    assert.deepEqual([0, 12_345, 1_234_567, 40.23, 120.4].map(formatNumber), [
      '0',
      '12,345',
      '1,234,567',
      '40.2',
      '120',
    ]);
    assert.deepEqual([0, 0.001_2, 0.049, 0.372, 1].map(formatShare), ['0 %', '0.12 %', '4.9 %', '37 %', '100 %']);
    assert.deepEqual([undefined, 4.2, 48.4, 1_300].map(formatMs), ['-', '4.2 ms', '48 ms', '1.3 s']);
  });
});
