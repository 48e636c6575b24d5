import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIgnore, withoutIgnored } from './ignore.ts';
import { shownUrl } from '../sources/http.ts';
import { hiddenOf } from './mask.ts';
import { patternOf, splitPattern } from './match.ts';
import { asArgument, nameOf, textOf } from './names.ts';
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

  for (const [pattern, path, matches] of [
    ['**/foo', 'foo', true],
    ['**/foo', 'a/b/foo', true],
    ['**/foo', 'a/xfoo', false],
    ['c/**/e', 'c/e', true],
    ['c/**/e', 'c/x/y/e', true],
    ['c/**', 'c/x/y', true],
    ['c/*', 'c/x/y', false],
  ] as const) {
    it(`of --parents: ${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () => {
      assert.equal(patternOf(pattern, true)?.test(path), matches);
    });
  }

  it('that are malformed are told', () => assert.equal(patternOf('a[b'), undefined));
});

describe('names of files', () => {
  const raw = Buffer.from([0x61, 0xff, 0xe2, 0x82, 0xac]).toString('latin1');

  it('are bytes; text is what people see of them', () => {
    assert.equal(nameOf('gr\u00f6\u00dfe'), Buffer.from('gr\u00f6\u00dfe').toString('latin1'));
    assert.equal(textOf(nameOf('gr\u00f6\u00dfe')), 'gr\u00f6\u00dfe');
    assert.equal(textOf(raw), 'a\ufffd\u20ac');
    assert.equal(asArgument(raw), undefined);
    assert.equal(asArgument(nameOf('\u20ac')), '\u20ac');
  });
});

describe('the mask of a bind mount', () => {
  it('hides the topmost of what must not be seen', () => {
    const all = [
      entry('', 'directory'),
      entry('a'),
      entry('d', 'directory'),
      entry('d/x', 'directory'),
      entry('d/x/y'),
      entry('d/z'),
    ];
    const kept = [all[0]!, all[2]!, all[5]!];
    assert.deepEqual(
      hiddenOf(all, kept).map(({ path }) => path),
      ['a', 'd/x'],
    );
  });
});

describe('addresses', () => {
  it('are shown without passwords', () => {
    assert.equal(shownUrl('https://me:p@ss@host/a@b?c=@'), 'https://host/a@b?c=@');
    assert.equal(shownUrl('git@host:path'), 'git@host:path');
  });
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
