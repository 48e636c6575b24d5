import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NewFile } from './face.ts';
import { fillAndDigest } from './fill-layer.ts';
import { writeLayerTar } from './layer-tar.ts';
import { createDigestSink } from './sink.ts';
import { openXattrReader } from './xattr.ts';

const SECONDS = 1_700_000_000;
const xattrs = openXattrReader();
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

describe('files that come as a layer is sealed', { skip: xattrs === undefined && 'needs node:ffi' }, () => {
  let base: string;
  let upper: string;
  before(() => (base = mkdtempSync('/var/tmp/bascule-fill-')));
  after(() => rmSync(base, { recursive: true, force: true }));

  /** Folders as a copy leaves them, a file among them, and what is copied. */
  function prepare(): void {
    rmSync(base, { recursive: true, force: true });
    upper = join(base, 'upper');
    for (const folder of ['app', 'app-x', 'app/sub', 'app/sub/deep'])
      mkdirSync(join(upper, folder), { recursive: true });
    mkdirSync(join(base, 'source'));
    mkdirSync(join(base, 'older'));
    writeFileSync(join(upper, 'app.txt'), 'there before');
    for (const folder of ['app/sub/deep', 'app/sub', 'app', 'app-x'])
      lutimesSync(join(upper, folder), SECONDS, SECONDS);
  }

  function source(name: string, content: string | Buffer): NewFile['content'] {
    writeFileSync(join(base, 'source', name), content);
    return { kind: 'copy', from: join(base, 'source', name) };
  }

  function file(path: string, content: NewFile['content'], size = 0): NewFile {
    return { path, mode: 0o640, ...owner, time: `${SECONDS}.5`, size, content };
  }

  async function fill(files: readonly NewFile[], signal?: AbortSignal): Promise<string | undefined> {
    const setMetadata = (path: Buffer, { time }: { time: string }): void =>
      lutimesSync(path, Number(time), Number(time));
    return (await fillAndDigest(upper, { files, setMetadata, ...(signal && { signal }) }, xattrs))?.diffId;
  }

  async function digestOfFolder(): Promise<string> {
    const sink = createDigestSink();
    await writeLayerTar(upper, { sink, xattrs });
    return sink.digest();
  }

  test('give the digest that the whole folder has, and folders keep their times', async () => {
    prepare();
    const large = Buffer.alloc(3 * 1024 * 1024 + 5, 'x');
    const older = join(base, 'older/twin');
    writeFileSync(older, 'twin');
    chmodSync(older, 0o640);
    lutimesSync(older, SECONDS, SECONDS);
    const many = Array.from({ length: 300 }, (_, number) =>
      file(
        `app/sub/file-${number}`,
        source(`f-${number}`, `content ${number}`),
        Buffer.byteLength(`content ${number}`),
      ),
    );
    const name = Buffer.from('äß').toString('latin1');
    const files = [
      file('app-x/large', source('large', large), large.length),
      file('app-x/whole', source('whole', large.subarray(0, 1024 * 1024)), 1024 * 1024),
      file('app/z-link', { kind: 'symlink', target: '../elsewhere' }),
      file('app/sub/deep/empty', source('empty', '')),
      file(`app/${name}`, source('umlaut', 'ä'), 2),
      file('app/second', { kind: 'name', of: 'app/first' }),
      file('app/first', source('first', 'one'), 3),
      file('app/twin', { kind: 'twin', of: older }, 4),
      ...many.toReversed(),
    ];
    assert.equal(await fill(files), await digestOfFolder());
    assert.equal(lstatSync(join(upper, 'app/sub')).mtimeMs, SECONDS * 1_000);
    assert.equal(lstatSync(join(upper, 'app/twin')).ino, lstatSync(older).ino);
    assert.equal(lstatSync(join(upper, 'app/first')).ino, lstatSync(join(upper, 'app/second')).ino);
    assert.equal(lstatSync(join(upper, 'app/first')).mtimeMs, SECONDS * 1_000 + 500);
    assert.equal(readFileSync(join(upper, 'app-x/large')).equals(large), true);
  });

  for (const [what, size] of [
    ['shorter', 4],
    ['longer', 2],
  ] as const) {
    test(`fail where one is ${what} than it was`, async () => {
      prepare();
      await assert.rejects(fill([file('app/a', source('a', 'abc'), size)]), { code: 'copy-failed' });
    });
  }

  test('fail where one is gone or became a link', async () => {
    prepare();
    await assert.rejects(fill([file('app/a', { kind: 'copy', from: join(base, 'source/none') })]), {
      code: 'copy-failed',
    });
    symlinkSync('/etc/passwd', join(base, 'source/link'));
    await assert.rejects(fill([file('app/b', { kind: 'copy', from: join(base, 'source/link') })]), {
      code: 'copy-failed',
    });
  });

  test('end when the build is cancelled', async () => {
    prepare();
    const cancel = new AbortController();
    cancel.abort(new Error('enough'));
    await assert.rejects(fill([file('app/a', source('a', 'abc'), 3)], cancel.signal), { message: 'enough' });
  });
});
