import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import { UserError } from '../../src/lib/errors.ts';
import { digestOf } from '../../src/lib/oci/index.ts';
import { imageArchiveOf, tarOf, type ArchiveMember } from '../support/image-archives.ts';
import { configOf, EMPTY, ImageBench, whyNoLayers } from '../support/image-bench.ts';

const skip = whyNoLayers();
const withoutXz = existsSync('/usr/bin/xz') ? false : 'needs xz: package xz-utils';

describe('hostile and broken archives', { skip }, () => {
  const file = (name: string, content = 'hostile'): ArchiveMember => ({ header: { name }, content });
  const link = (name: string, linkname: string): ArchiveMember => ({ header: { name, type: 'symlink', linkname } });
  const hard = (name: string, linkname: string): ArchiveMember => ({ header: { name, type: 'link', linkname } });
  const hostile: Readonly<Record<string, (outside: string) => readonly ArchiveMember[]>> = {
    'climbs out': () => [file('ok'), file('../../../victim')],
    'climbs out in the middle': () => [file('a/b/../../../../victim')],
    'writes through an absolute link': (outside) => [link('l', outside), file('l/victim')],
    'writes through a climbing link': () => [link('l', '../../..'), file('l/victim')],
    'writes through a chain of links': (outside) => [link('a', outside), link('b', 'a'), file('b/victim')],
    'writes through a link in a folder': (outside) => [
      { header: { name: 'd', type: 'directory' } },
      link('d/l', outside),
      file('d/l/victim'),
    ],
    'replaces a folder by a link': (outside) => [
      { header: { name: 'd', type: 'directory' } },
      link('d', outside),
      file('d/victim'),
    ],
    'links to a file outside': (outside) => [hard('h', join(outside, 'victim')), file('h')],
    'links through a link': (outside) => [link('l', outside), hard('h', 'l/victim')],
    'hides a whiteout': () => [{ header: { name: 'x', type: 'character-device', devmajor: 0, devminor: 0 } }],
  };
  for (const [what, members] of Object.entries(hostile)) {
    it(`refuses a layer that ${what}, and leaves nothing behind`, async () => {
      await using bench = await new ImageBench().open();
      const outside = bench.path('outside');
      mkdirSync(outside);
      writeFileSync(join(outside, 'victim'), 'whole');
      const archive = await imageArchiveOf(await tarOf(members(outside)));
      await assert.rejects(bench.store.load(Readable.from([archive])));
      assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'whole');
      assert.equal(existsSync(bench.path('victim')), false);
      assert.deepEqual(bench.contents(), EMPTY);
      assert.deepEqual(bench.store.list(), []);
    });
  }

  it('refuses an archive of xz whose reader would need gigabytes of memory', { skip: withoutXz }, async () => {
    await using bench = await new ImageBench().open();
    const small = execFileSync('xz', ['--stdout', '--check=crc32'], { input: await tarOf([file('x')]) });
    assert.ok((await bench.store.importRoot(Readable.from([small]), {})).sizeBytes > 0);
    const before = bench.contents();
    await assert.rejects(bench.store.importRoot(Readable.from([wantingMemory(small)]), {}), (error) => {
      assert.ok(error instanceof UserError && error.code === 'command-failed', String(error));
      assert.match(error.message, /xz.*memory/is);
      return true;
    });
    assert.deepEqual(bench.contents(), before);
  });

  it('takes absolute names as names in the image', async () => {
    await using bench = await new ImageBench().open();
    const archive = await imageArchiveOf(await tarOf([file('/etc/x', 'in the image'), link('/etc/l', '/etc/x')]));
    const [image] = await bench.store.load(Readable.from([archive]));
    const [layer] = bench.store.layersOf(image!.id);
    assert.equal(readFileSync(join(layer!.directory, 'etc/x'), 'utf8'), 'in the image');
  });

  it('a later member replaces a link, and is not written through it', async () => {
    await using bench = await new ImageBench().open();
    writeFileSync(bench.path('victim'), 'whole');
    const archive = await imageArchiveOf(await tarOf([link('f', bench.path('victim')), file('f', 'new')]));
    const [image] = await bench.store.load(Readable.from([archive]));
    assert.equal(readFileSync(bench.path('victim'), 'utf8'), 'whole');
    assert.equal(readFileSync(join(bench.store.layersOf(image!.id)[0]!.directory, 'f'), 'utf8'), 'new');
  });

  const broken: Readonly<Record<string, () => Promise<Buffer>>> = {
    nothing: async () => Buffer.alloc(0),
    text: async () => Buffer.from('this is not an archive\n'.repeat(100)),
    'an archive that ends early': async () => (await goodArchive()).subarray(0, 1_500),
    'damaged gzip': async () => damage(gzipSync(await goodArchive()), 30),
    'cut gzip': async () => gzipSync(await goodArchive()).subarray(0, 100),
    'damaged zstd': async () => damage(zstdCompressSync(await goodArchive()), 30),
    'a layer whose digest is another': async () => imageWith({ diffId: digestOf('another') }),
    'a layer that is missing': async () => imageArchiveOf(await goodLayer(), { Layers: ['missing.tar'] }),
    'a configuration that is missing': async () => imageArchiveOf(await goodLayer(), { Config: 'missing.json' }),
    'a configuration whose name lies': async () => imageWith({ configName: `${'0'.repeat(64)}.json` }),
    'a layer that is no archive': async () => imageArchiveOf(Buffer.alloc(2_048, 'x')),
    'a layer that is damaged gzip': async () => {
      return imageArchiveOf(damage(gzipSync(await goodLayer()), 20));
    },
    'a good image before a broken one': twoImages,
  };
  for (const [what, make] of Object.entries(broken)) {
    it(`refuses ${what}, and leaves nothing behind`, async () => {
      await using bench = await new ImageBench().open();
      const bytes = await make();
      await assert.rejects(
        bench.store.load(Readable.from([bytes])),
        (error) => error instanceof UserError && error.code === 'archive-invalid',
      );
      assert.deepEqual(bench.contents(), EMPTY);
      assert.deepEqual(bench.store.list(), []);
    });
  }

  it('stops when it is told to, and leaves nothing behind', async () => {
    await using bench = await new ImageBench().open();
    const abort = new AbortController();
    const onProgress = (): void => abort.abort(new Error('enough'));
    const load = bench.store.load(Readable.from([await goodArchive()]), { onProgress, signal: abort.signal });
    await assert.rejects(load);
    assert.deepEqual(bench.contents(), EMPTY);
  });
});

describe('after a crash', { skip }, () => {
  it('removes what was half made', async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'), ['kept:1']);
    const before = bench.contents();
    await bench.store.newUpper();
    for (const folder of ['layers/half', 'temporary/half']) mkdirSync(bench.path('engine', folder));
    writeFileSync(bench.path('engine/blobs/sha256/half'), 'x');
    await bench.close();
    await bench.open();
    assert.deepEqual(bench.contents(), before);
    assert.equal(bench.store.get('kept:1').id, image.id);
  });

  it('drops a layer that lost content with the power, with its images, and keeps those that did not', async () => {
    await using bench = await new ImageBench().open();
    const whole = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'whole'), ['whole:1']);
    const lost = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'lost'), ['lost:1']);
    await bench.step(lost.id, (root) => writeFileSync(join(root, 'b'), 'above it'), ['above:1']);
    writeFileSync(join(bench.store.layersOf(lost.id)[0]!.directory, 'a'), '');
    await bench.close();
    bench.editDatabase("UPDATE layer SET unsynced_boot = 'an earlier boot'");
    await bench.open();
    assert.deepEqual(
      bench.store.list().map((image) => image.references),
      [['whole:1']],
    );
    assert.deepEqual(bench.store.list()[0]?.id, whole.id);
  });

  it('has its layers on the disk after closing', async () => {
    await using bench = await new ImageBench().open();
    await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'));
    await bench.store.close();
    const rows = bench.database.prepare('SELECT unsynced_boot FROM layer').all();
    assert.deepEqual(
      rows.map((row) => row['unsynced_boot']),
      [null],
    );
  });
});

async function goodLayer(): Promise<Buffer> {
  return tarOf([{ header: { name: 'a' }, content: 'a'.repeat(2_000) }]);
}

async function goodArchive(): Promise<Buffer> {
  return imageArchiveOf(await goodLayer());
}

async function imageWith(o: { diffId?: `sha256:${string}`; configName?: string }): Promise<Buffer> {
  const layer = await goodLayer();
  const configName = o.configName ?? 'config.json';
  return tarOf([
    { header: { name: 'layer.tar' }, content: layer },
    { header: { name: configName }, content: JSON.stringify(configOf([o.diffId ?? digestOf(layer)])) },
    { header: { name: 'manifest.json' }, content: JSON.stringify([{ Config: configName, Layers: ['layer.tar'] }]) },
  ]);
}

async function twoImages(): Promise<Buffer> {
  const layer = await goodLayer();
  return tarOf([
    { header: { name: 'layer.tar' }, content: layer },
    { header: { name: 'good.json' }, content: JSON.stringify(configOf([digestOf(layer)])) },
    { header: { name: 'bad.json' }, content: JSON.stringify(configOf([digestOf('x')])) },
    {
      header: { name: 'manifest.json' },
      content: JSON.stringify([
        { Config: 'good.json', RepoTags: ['good:1'], Layers: ['layer.tar'] },
        { Config: 'bad.json', RepoTags: ['bad:1'], Layers: ['layer.tar'] },
      ]),
    },
  ]);
}

function damage(bytes: Buffer, offset: number): Buffer {
  const damaged = Buffer.from(bytes);
  damaged.fill(0x55, offset, offset + 16);
  return damaged;
}

/** The same xz file, but that it asks for a dictionary of 4 GiB (The .xz File Format, sections 3.1 and 5.3.1). */
function wantingMemory(file: Buffer): Buffer {
  const HEADER = 12; // behind the header of the stream
  const changed = Buffer.from(file);
  const length = (changed[HEADER]! + 1) * 4;
  assert.deepEqual([...changed.subarray(HEADER + 1, HEADER + 4)], [0, 0x21, 1], 'a block of LZMA2');
  changed[HEADER + 4] = 40;
  changed.writeUInt32LE(crc32(changed.subarray(HEADER, HEADER + length - 4)), HEADER + length - 4);
  return changed;
}
