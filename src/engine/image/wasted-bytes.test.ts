import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ListedFile, visibleFiles, wastedBytes } from './wasted-bytes.ts';

let inodes = 0;
const file = (path: string, bytes: number, inode = `own-${(inodes += 1)}`): ListedFile => ({
  ...{ path, kind: 'file', bytes, inode },
});
const folder = (path: string): ListedFile => ({ path, kind: 'folder', bytes: 0, inode: path });
const opaque = (path: string): ListedFile => ({ path, kind: 'opaque', bytes: 0, inode: path });
const whiteout = (path: string): ListedFile => ({ path, kind: 'whiteout', bytes: 0, inode: path });
const bytesOf = (...layers: readonly (readonly ListedFile[])[]): readonly number[] =>
  wastedBytes(layers).map(({ bytes }) => bytes);

describe('wasted bytes', () => {
  it('are those of files that a later layer overwrites or deletes', () => {
    const [lower, upper] = wastedBytes([
      [folder('a'), file('a/kept', 1), file('a/over', 10), file('a/gone', 100)],
      [folder('a'), file('a/over', 5), whiteout('a/gone')],
    ]);
    assert.deepEqual(lower, {
      bytes: 110,
      files: [
        { path: 'a/gone', bytes: 100, by: 1 },
        { path: 'a/over', bytes: 10, by: 1 },
      ],
    });
    assert.equal(upper?.bytes, 0);
  });

  it('are those of whole folders that are deleted, replaced or hidden', () => {
    const base = [folder('d'), folder('d/e'), file('d/e/f', 7), file('d/g', 3)];
    assert.deepEqual(bytesOf(base, [whiteout('d')]), [10, 0]);
    assert.deepEqual(bytesOf(base, [file('d', 1)]), [10, 0]);
    assert.deepEqual(bytesOf(base, [opaque('d'), file('d/g', 3)]), [10, 0]);
    assert.deepEqual(bytesOf([file('d', 4)], [folder('d')]), [4, 0]);
    assert.deepEqual(bytesOf(base, [folder('d'), folder('d/e')]), [0, 0]);
  });

  it('count hard links once, when the last name is gone', () => {
    const base = [file('one', 9, 'same'), file('two', 9, 'same')];
    assert.deepEqual(bytesOf(base, [whiteout('one')]), [0, 0]);
    assert.deepEqual(bytesOf(base, [whiteout('one')], [whiteout('two')]), [9, 0, 0]);
  });

  it('and what is left are all bytes there are', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const change = fc.record({ name, bytes: fc.integer({ min: 1, max: 50 }), isDeleted: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(change, { selector: (each) => each.name, maxLength: 3 })), (layers) => {
        const listings = layers.map((changes) =>
          changes.map((each) => (each.isDeleted ? whiteout(each.name) : file(each.name, each.bytes))),
        );
        const left = new Map<string, number>();
        for (const each of layers.flat()) {
          if (each.isDeleted) left.delete(each.name);
          else left.set(each.name, each.bytes);
        }
        const total = layers.flat().reduce((sum, each) => sum + (each.isDeleted ? 0 : each.bytes), 0);
        const kept = [...left.values()].reduce((sum, bytes) => sum + bytes, 0);
        assert.equal(
          bytesOf(...listings).reduce((sum, bytes) => sum + bytes, 0),
          total - kept,
        );
      }),
    );
  });
});

it('files are seen as a container sees them', () => {
  const layers = [
    [folder('d'), file('d/old', 1), file('d/gone', 1), file('same', 1)],
    [folder('d'), file('d/new', 1), whiteout('d/gone'), file('same', 2), file('empty', 0)],
  ];
  const seen = visibleFiles(layers, (path) => path !== 'd/new');
  assert.deepEqual(
    seen.toSorted((a, b) => a.layer - b.layer),
    [
      { path: 'd/old', layer: 0 },
      { path: 'same', layer: 1 },
    ],
  );
});
