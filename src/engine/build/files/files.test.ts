import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIgnore, withoutIgnored } from './ignore.ts';
import { patternOf, splitPattern } from './match.ts';
import type { TreeEntry } from './tree.ts';

function entry(path: string, kind: TreeEntry['kind'] = 'file'): TreeEntry {
  const none = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, isSparse: false, modifiedAt: '0', changedAt: '0' };
  return { ...none, path, kind, inode: '1', device: '1', links: 1, linkTarget: '' };
}

describe('source patterns', () => {
  for (const [pattern, path, matches] of [
    ['*.txt', 'a.txt', true],
    ['*.txt', 'd/a.txt', false],
    ['a?c', 'abc', true],
    ['a[b-d]c', 'acc', true],
    ['a[^b-d]c', 'acc', false],
    [String.raw`a\*c`, 'a*c', true],
    [String.raw`a\*c`, 'abc', false],
    ['*/x', 'd/x', true],
    ['a.b', 'aXb', false],
  ] as const) {
    it(`${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () => {
      assert.equal(patternOf(pattern)?.test(path), matches);
    });
  }

  it('are walked from the last folder without a wildcard', () => {
    assert.deepEqual(splitPattern('a/b/*.c/d'), { prefix: 'a/b', rest: '*.c/d' });
    assert.deepEqual(splitPattern(String.raw`a/\[x`), { prefix: 'a/[x', rest: '' });
  });

  it('that are malformed are told', () => assert.equal(patternOf('a[b'), undefined));
});

describe('.dockerignore', () => {
  it('leaves out files, keeps exceptions and the folders they are in', () => {
    const rules = parseIgnore('# comment\nnode_modules\n*.log\ndocs/**\n!docs/keep/me\n');
    const tree = [
      entry('', 'directory'),
      entry('a.log'),
      entry('b'),
      entry('node_modules', 'directory'),
      entry('node_modules/x'),
      entry('docs', 'directory'),
      entry('docs/no'),
      entry('docs/keep', 'directory'),
      entry('docs/keep/me'),
      entry('Upper.LOG'),
    ];
    const kept = withoutIgnored(tree, '', rules).map(({ path }) => path);
    assert.deepEqual(kept, ['', 'b', 'docs', 'docs/keep', 'docs/keep/me', 'Upper.LOG']);
  });

  it('speaks of paths in the context, wherever a walk begins', () => {
    const rules = parseIgnore('src/secret');
    const kept = withoutIgnored([entry('', 'directory'), entry('secret'), entry('open')], 'src', rules);
    assert.deepEqual(
      kept.map(({ path }) => path),
      ['', 'open'],
    );
  });
});
