import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { digestOf, hexOf, type Digest } from '../../src/lib/oci/index.ts';
import { tarOf } from '../support/image-archives.ts';
import { configOf, EMPTY, ImageBench, whyNoLayers } from '../support/image-bench.ts';
import { compareTrees, makeRandomTree, readTree } from '../support/random-tree.ts';

const skip = whyNoLayers();

/** As another tool writes it: order of the disk, fractions of seconds, blocks of ten kilobytes. */
function foreignTar(bench: ImageBench, seed: number): { tar: Buffer; root: string } {
  const root = bench.path(`tree-${seed}`);
  mkdirSync(root);
  makeRandomTree(root, { seed, entries: 100, sparseBytes: 1_000_000 });
  const options = ['--format=pax', '--xattrs', '--xattrs-include=*', '--sort=none'];
  const tar = execFileSync('tar', [...options, '-cf', '-', '-C', root, '.'], { maxBuffer: 1e9 });
  return { tar, root };
}

/** Pieces of odd lengths, as a network gives them. */
function pieces(data: Buffer, length = 70_001): Readable {
  return Readable.from(
    (function* cut() {
      for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length);
    })(),
    { objectMode: false },
  );
}

async function written(bench: ImageBench, diffId: Digest): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), bench.store.writeLayerTar(diffId, sink)]);
  return bytes;
}

describe('layers from elsewhere', { skip }, () => {
  it('are unpacked as they come, and their archives are given back to the byte, also after a restart', async () => {
    await using bench = await new ImageBench().open();
    for (const seed of [1, 2]) {
      const { tar, root } = foreignTar(bench, seed);
      const diffId = digestOf(tar);
      const layer = await bench.store.addLayer(async () => pieces(tar), { diffId });
      assert.deepEqual(compareTrees(readTree(root), readTree(layer.directory), { times: 'seconds' }), []);
      assert.ok((await written(bench, diffId)).equals(tar));
      assert.equal(bench.store.layerTarBytes(diffId), tar.length);
      await bench.store.register({ config: configOf([diffId]), references: [`tree:${seed}`] });
    }
    assert.ok(bench.contents()['blobs/sha256']?.every((name) => name.endsWith('.recipe')));
    await bench.close();
    bench.editDatabase("UPDATE layer SET unsynced_boot = 'another'"); // after a power cut they are verified
    await bench.open();
    assert.equal(bench.store.list().length, 2);
    await bench.store.prune({ danglingOnly: false, usersOf: () => [] });
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('may have a name twice, and other oddities', async () => {
    await using bench = await new ImageBench().open();
    const odd = await tarOf([
      { header: { name: './', type: 'directory' } },
      { header: { name: 'a' }, content: 'first' },
      { header: { name: 'a' }, content: 'second' },
      { header: { name: '.wh.gone' }, content: 'a whiteout with content' },
      { header: { name: 'd/.wh..wh..opq' } },
      { header: { name: 'last' }, content: 'x' },
    ]);
    const tar = Buffer.concat([odd, Buffer.from('something after the end')]);
    let opened = 0;
    const open = async (): Promise<Readable> => {
      opened++;
      return pieces(tar, 100);
    };
    await bench.store.addLayer(open, { diffId: digestOf(tar) });
    assert.equal(opened, 2);
    assert.ok((await written(bench, digestOf(tar))).equals(tar));
  });

  it('are unpacked once when several bring them, and one who goes away does not disturb the others', async () => {
    await using bench = await new ImageBench().open();
    const { tar } = foreignTar(bench, 4);
    const diffId = digestOf(tar);
    const abort = new AbortController();
    const slow = new PassThrough();
    slow.write(tar.subarray(0, 1000));
    const first = bench.store.addLayer(async () => slow, { diffId, signal: abort.signal });
    let opened = 0;
    const open = async (): Promise<Readable> => (opened++, pieces(tar));
    const others = [1, 2, 3].map(() => bench.store.addLayer(open, { diffId }));
    abort.abort(new Error('enough'));
    slow.destroy();
    await assert.rejects(first);
    await Promise.all(others);
    assert.equal(opened, 1);
    assert.equal(bench.contents()['layers']?.length, 1);
    assert.deepEqual(bench.contents()['uppers'], []);
    assert.deepEqual(bench.contents()['temporary'], []);
  });

  it('leave nothing behind when they are not what was promised', async () => {
    await using bench = await new ImageBench().open();
    const good = await tarOf([{ header: { name: 'a' }, content: 'a' }]);
    const escape = await tarOf([{ header: { name: '../../escaped' }, content: 'a' }]);
    const cases: readonly [string, Buffer, { diffId: Digest; maxBytes?: number }][] = [
      ['another digest', good, { diffId: digestOf('another') }],
      ['too long', good, { diffId: digestOf(good), maxBytes: good.length - 1 }],
      ['a name that climbs out', escape, { diffId: digestOf(escape) }],
      ['cut off', good.subarray(0, 600), { diffId: digestOf(good.subarray(0, 600)) }],
      ['no archive', Buffer.alloc(2000, 'x'), { diffId: digestOf(Buffer.alloc(2000, 'x')) }],
    ];
    for (const [what, tar, o] of cases) {
      await assert.rejects(
        bench.store.addLayer(async () => pieces(tar), o),
        (error) => error instanceof UserError && error.code === 'archive-invalid',
        what,
      );
      assert.deepEqual(bench.contents(), EMPTY, what);
    }
  });

  it('are kept for an image that comes, and dropped when it does not', async () => {
    await using bench = await new ImageBench().open();
    const tar = await tarOf([{ header: { name: 'a' }, content: 'a' }]);
    const diffId = digestOf(tar);
    assert.deepEqual(bench.store.holdLayers([diffId]), []);
    await bench.store.addLayer(async () => pieces(tar), { diffId });
    assert.deepEqual(bench.store.holdLayers([diffId]), [diffId]);
    await bench.store.collectLayers();
    assert.ok(bench.store.findLayer(diffId) !== undefined);
    await bench.store.dropLayers([diffId]);
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('are known by their compressed forms as long as they are there', async () => {
    await using bench = await new ImageBench().open();
    const tar = await tarOf([{ header: { name: 'a' }, content: 'a' }]);
    const diffId = digestOf(tar);
    const blob = { diffId, digest: digestOf('gz'), mediaType: 'application/x', sizeBytes: 2, repository: 'r.io/a' };
    bench.store.rememberBlob(blob);
    assert.deepEqual(bench.store.blobsOf(diffId), []);
    await bench.store.addLayer(async () => pieces(tar), { diffId });
    bench.store.rememberBlob(blob);
    bench.store.rememberBlob({ ...blob, repository: 'r.io/b' });
    assert.deepEqual(bench.store.blobsOf(diffId), [{ ...blob, repository: 'r.io/b' }, blob]);
    const bytes = Buffer.from(` ${JSON.stringify(configOf([diffId]))}\n`);
    const image = await bench.store.registerConfig(bytes, {
      references: ['r.io/a:1'],
      repoDigests: [`r.io/a@${digestOf('manifest')}`],
    });
    assert.equal(image.id, digestOf(bytes));
    assert.ok(bench.store.configBytes(image.id).equals(bytes));
    assert.equal(bench.store.get(`r.io/a@sha256:${hexOf(digestOf('manifest'))}`).id, image.id);
    await bench.store.remove(image.id, { force: true, usersOf: () => [] });
    assert.deepEqual(bench.store.blobsOf(diffId), []);
  });
});
