import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DigestState, NewFile } from './face.ts';
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

  test('go on from where the digest of the layer before was, and give the same digest', async () => {
    prepare();
    const contentOf = (number: number): string => `content ${number} `.repeat(1 + (number % 7) * 300);
    const numbers = Array.from({ length: 300 }, (_, number) => number);
    const pathOf = (number: number): string => `app/sub/file-${String(number).padStart(3, '0')}`;
    const copied = (number: number, content: string): NewFile =>
      file(pathOf(number), source(`f-${number}`, content), content.length);
    const setMetadata = (path: Buffer, { time }: { time: string }): void =>
      lutimesSync(path, Number(time), Number(time));
    let states: readonly DigestState[] = [];
    const noteStates = (noted: readonly DigestState[]): void => void (states = noted);
    const files = numbers.map((number) => copied(number, contentOf(number)));
    await fillAndDigest(upper, { files, setMetadata, noteStates }, xattrs);
    assert.deepEqual(
      states.map(({ done }) => done),
      [32, 64, 96, 128, 160, 192, 224, 256, 288],
    );
    const layer = join(base, 'layer');
    renameSync(upper, layer);
    for (const changed of [0, 31, 32, 33, 150, 299]) {
      for (const kind of ['content', 'size', 'gone', 'more'] as const) {
        rmSync(upper, { recursive: true, force: true });
        cpSync(layer, upper, { recursive: true, preserveTimestamps: true, filter: (path) => !path.includes('file-') });
        const twins = numbers.flatMap((number): readonly NewFile[] => {
          const content = contentOf(number);
          const twin = file(pathOf(number), { kind: 'twin', of: join(layer, pathOf(number)) }, content.length);
          if (number !== changed) return [twin];
          if (kind === 'gone') return [];
          if (kind === 'more') return [twin, file(`${pathOf(number)}+`, source('more', 'one more'), 8)];
          return [copied(number, kind === 'size' ? `${content}!` : content.replace('content', 'CONTENT'))];
        });
        let noted: readonly DigestState[] = [];
        const made = await fillAndDigest(
          upper,
          { files: twins, setMetadata, states, noteStates: (own) => void (noted = own) },
          xattrs,
        );
        assert.equal(made?.diffId, await digestOfFolder(), `${kind} of file ${changed}`);
        const shared = noted.filter(({ check, state }) => states.some((o) => o.check === check && o.state === state));
        assert.deepEqual(
          shared.map(({ done }) => done),
          states.map(({ done }) => done).filter((done) => done <= (kind === 'more' ? changed + 1 : changed)),
          `those before ${kind} of file ${changed} are the same ones`,
        );
      }
    }
  });

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
