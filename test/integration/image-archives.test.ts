import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { digestOf } from '../../src/lib/oci/index.ts';
import { sha256Of, writeForeignArchive } from '../support/image-archives.ts';
import { configOf, EMPTY, ImageBench, whyNoLayers } from '../support/image-bench.ts';
import {
  changeBase,
  describeTree,
  treeArbitrary,
  withoutFraction,
  writeBase,
  writeTree,
} from '../support/image-trees.ts';

const skip = whyNoLayers();
const hasSkopeo = existsSync('/usr/bin/skopeo');
const nobodyUses = { force: false, usersOf: () => [] };

describe('load and save', { skip }, () => {
  it('saves and loads the same images, several at once', async () => {
    await using bench = await new ImageBench().open();
    const base = await bench.step(undefined, writeBase, ['base:1']);
    const app = await bench.step(base.id, changeBase, ['app:1', 'app:2']);
    const tree = bench.treeOf(app.id);
    const archive = await bench.save(['base:1', 'app'], 'saved.tar');
    for (const image of [app, base]) await bench.store.remove(image.id, { ...nobodyUses, force: true });
    assert.deepEqual(bench.contents(), EMPTY);
    const loaded = await bench.load(archive);
    assert.deepEqual(
      loaded.map((image) => [image.id, image.references]),
      [
        [base.id, ['base:1']],
        [app.id, ['app:1', 'app:2']],
      ],
    );
    assert.deepEqual(bench.treeOf(app.id).map(withoutFraction), tree.map(withoutFraction));
    const again = await bench.save(['base:1', 'app'], 'again.tar');
    assert.equal(sha256Of(again), sha256Of(archive));
    const beside = bench.contents()['blobs/sha256'] ?? [];
    assert.ok(
      beside.every((name) => name.endsWith('.recipe')),
      'layers need no second copy',
    );
  });

  it('loads compressed archives', async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, writeBase, ['base:1']);
    const archive = await bench.save(['base:1'], 'saved.tar');
    const plain = readFileSync(archive);
    const compressed = { gzip: gzipSync(plain), zstd: zstdCompressSync(plain), ...byPrograms(plain) };
    for (const [how, bytes] of Object.entries(compressed)) {
      await bench.store.remove('base:1', nobodyUses);
      assert.equal((await bench.store.load(Readable.from([bytes])))[0]?.id, image.id, how);
    }
  });

  it(
    'is read by skopeo, and reads what skopeo writes',
    { skip: hasSkopeo ? false : 'skopeo is not installed' },
    async () => {
      await using bench = await new ImageBench().open();
      const base = await bench.step(undefined, writeBase, ['base:1']);
      const app = await bench.step(base.id, changeBase, ['app:1']);
      const tree = bench.treeOf(app.id);
      const archive = await bench.save(['app:1'], 'saved.tar');
      const inspected = execFileSync('skopeo', ['inspect', `docker-archive:${archive}`]).toString();
      assert.deepEqual((JSON.parse(inspected) as { Layers: string[] }).Layers, app.config.rootfs.diff_ids);
      mkdirSync(bench.path('layout'));
      execFileSync('tar', ['-xf', archive, '-C', bench.path('layout')]);
      const targets = {
        'oci gzip': ['--dest-compress-format=gzip', `oci-archive:${bench.path('gzip.tar')}:app:gzip`],
        'docker-archive': [`docker-archive:${bench.path('docker.tar')}:app:docker`],
      };
      for (const [what, target] of Object.entries(targets)) {
        execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', `oci:${bench.path('layout')}:1`, ...target]);
        const file = bench.path(what === 'oci gzip' ? 'gzip.tar' : 'docker.tar');
        await bench.store.remove(app.id, { ...nobodyUses, force: true });
        const [loaded] = await bench.load(file);
        assert.deepEqual(loaded?.config.rootfs.diff_ids, app.config.rootfs.diff_ids, what);
        assert.deepEqual(bench.treeOf(loaded.id).map(withoutFraction), tree.map(withoutFraction), what);
        await bench.store.remove(loaded.id, { ...nobodyUses, force: true });
        await bench.load(archive);
      }
    },
  );

  it('loads an OCI layout with zstd layers', { skip: hasSkopeo ? false : 'skopeo is not installed' }, async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, writeBase, ['base:1']);
    const archive = await bench.save(['base:1'], 'saved.tar');
    const layout = `oci:${bench.path('layout')}:base:zstd`;
    execFileSync('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      '--dest-compress-format=zstd',
      `docker-archive:${archive}`,
      layout,
    ]);
    execFileSync('tar', ['-cf', bench.path('zstd.tar'), '-C', bench.path('layout'), '.']);
    await bench.store.remove('base:1', nobodyUses);
    const [loaded] = await bench.load(bench.path('zstd.tar'));
    assert.deepEqual(loaded?.config.rootfs.diff_ids, image.config.rootfs.diff_ids);
    assert.deepEqual(loaded?.references, ['base:zstd']);
  });

  it('gives back archives of other tools bit for bit', async () => {
    await using bench = await new ImageBench().open();
    const foreign = writeForeignArchive(bench, (root) => writeBase(root));
    const [image] = await bench.load(foreign.archive);
    assert.deepEqual(image?.config.rootfs.diff_ids, [foreign.diffId]);
    assert.deepEqual(image?.references, ['foreign:1']);
    const saved = await bench.save(['foreign:1'], 'saved.tar');
    const layer = execFileSync('tar', ['-xOf', saved, `blobs/sha256/${foreign.diffId.slice(7)}`], { maxBuffer: 1e9 });
    assert.equal(digestOf(layer), foreign.diffId);
    await bench.store.remove('foreign:1', nobodyUses);
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('loads any tree and finds the same tree', async () => {
    await using bench = await new ImageBench().open();
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (files) => {
        const upper = await bench.store.newUpper();
        writeTree(upper.directory, files);
        const expected = describeTree(upper.directory).map(withoutFraction);
        const layer = await bench.store.seal(upper);
        const image = await bench.store.register({ config: configOf([layer.diffId]), references: ['tree:1'] });
        const archive = await bench.save(['tree:1'], 'tree.tar');
        await bench.store.remove('tree:1', nobodyUses);
        const [loaded] = await bench.load(archive);
        assert.equal(loaded?.id, image.id);
        const [unpacked] = bench.store.layersOf(image.id);
        assert.deepEqual(describeTree(unpacked!.directory).map(withoutFraction), expected);
        await bench.store.remove('tree:1', nobodyUses);
      }),
      { numRuns: 25 },
    );
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('imports a root file system, with changes to its configuration', async () => {
    await using bench = await new ImageBench().open();
    mkdirSync(bench.path('root'));
    writeBase(bench.path('root'));
    execFileSync('tar', [
      '--xattrs',
      '--xattrs-include=*',
      '-czf',
      bench.path('root.tgz'),
      '-C',
      bench.path('root'),
      '.',
    ]);
    const o = { references: ['imported:1'], config: { Cmd: ['/bin/x'], Env: ['A=b'] }, message: 'by hand' };
    const image = await bench.store.importRoot(createReadStream(bench.path('root.tgz')), o);
    assert.deepEqual(image.config.config, o.config);
    assert.equal(bench.store.history('imported:1')[0]?.comment, 'by hand');
    const expected = describeTree(bench.path('root')).map(withoutFraction);
    assert.deepEqual(bench.treeOf(image.id).map(withoutFraction), expected);
  });

  it('does not pass off a damaged layer as whole', async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, writeBase, ['base:1']);
    writeFileSync(join(bench.store.layersOf(image.id)[0]!.directory, 'etc/conf'), 'tampered');
    await assert.rejects(bench.save(['base:1'], 'saved.tar'));
  });
});

/** Where the machine has them. */
function byPrograms(plain: Buffer): Record<string, Buffer> {
  const programs = ['xz', 'bzip2'].filter((name) => existsSync(`/usr/bin/${name}`));
  return Object.fromEntries(
    programs.map((name) => [name, execFileSync(name, ['-c'], { input: plain, maxBuffer: 1e9 })]),
  );
}
