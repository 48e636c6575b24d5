import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { chmod, utimes } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { plainFileIn } from './archive-file.ts';
import { openBelow } from './archive-folder.ts';
import { guardArchive } from './archive-guard.ts';
import { unpackTar, writeTar } from './archive-streams.ts';

const folder = mkdtempSync(join(tmpdir(), 'bascule-archives-'));
after(() => rmSync(folder, { recursive: true }));
const LARGE = randomBytes(2 * 1024 * 1024 + 77);

async function archiveOf(names: readonly string[], ...options: readonly string[]): Promise<Buffer> {
  const from = mkdtempSync(join(folder, 'from-'));
  for (const name of names) {
    mkdirSync(join(from, name, '..'), { recursive: true });
    writeFileSync(join(from, name), name.includes('large') ? LARGE : `content of ${name}`);
    await chmod(join(from, name), 0o640);
    await utimes(join(from, name), 1_700_000_000, 1_700_000_000);
  }
  const words = ['--create', '--file=-', '--format=ustar', ...options, '--directory', from, '--', ...names];
  return execFileSync('tar', words, { maxBuffer: 64 * 1024 * 1024 });
}

/** In pieces, each with memory of its own, as a connection gives them. */
function inPieces(archive: Buffer, size: number): Readable {
  const count = Math.ceil(archive.length / size);
  return Readable.from(
    Array.from({ length: count }, (_, i) => Buffer.from(new Uint8Array(archive.subarray(i * size, (i + 1) * size)))),
  );
}

async function unpack(into: string, tar: Readable, root = into): Promise<void> {
  await using opened = await openBelow(root, into);
  assert.ok(opened);
  await unpackTar(opened, { tar, guard: guardArchive(root, into) });
}

describe('an archive that is unpacked', () => {
  for (const size of [511, 65_536, 8_000_000])
    it(`may begin with large files and go on with others, in pieces of ${size} bytes`, async () => {
      const names = ['large', 'small', 'folder/large-too', 'last'];
      const into = mkdtempSync(join(folder, 'into-'));
      await unpack(into, inPieces(await archiveOf(names), size));
      for (const name of ['large', 'folder/large-too']) assert.ok(readFileSync(join(into, name)).equals(LARGE), name);
      assert.equal(readFileSync(join(into, 'last'), 'utf8'), 'content of last');
      for (const name of names) {
        const { mode, mtimeMs } = statSync(join(into, name));
        assert.deepEqual([mode & 0o7777, mtimeMs], [0o640, 1_700_000_000_000], name);
      }
    });

  it('replaces what is there, and follows no link', async () => {
    const into = mkdtempSync(join(folder, 'into-'));
    const outside = join(folder, 'outside');
    writeFileSync(outside, 'untouched');
    symlinkSync(outside, join(into, 'large'));
    writeFileSync(join(into, 'large-too'), 'former');
    await unpack(into, inPieces(await archiveOf(['large', 'large-too']), 65_536));
    assert.equal(readFileSync(outside, 'utf8'), 'untouched');
    for (const name of ['large', 'large-too']) assert.ok(readFileSync(join(into, name)).equals(LARGE), name);
  });

  it('is refused where it ends early, a folder is in the way, or a link leads out behind a large file', async () => {
    const archive = await archiveOf(['large', 'out/victim']);
    const into = mkdtempSync(join(folder, 'into-'));
    const cut = inPieces(archive.subarray(0, 1024 * 1024), 65_536);
    await assert.rejects(unpack(into, cut), { code: 'archive-invalid', message: /unexpected end/ });
    rmSync(join(into, 'large'));
    mkdirSync(join(into, 'large/full'), { recursive: true });
    await assert.rejects(unpack(into, inPieces(archive, 65_536)), { code: 'archive-invalid' });
    for (const name of ['large', 'out']) rmSync(join(into, name), { recursive: true });
    symlinkSync(folder, join(into, 'out'));
    await assert.rejects(unpack(into, inPieces(archive, 65_536)), { code: 'copy-through-link' });
    assert.equal(existsSync(join(folder, 'victim')), false);
  });

  it('may be empty, or nothing at all', async () => {
    const into = mkdtempSync(join(folder, 'into-'));
    await unpack(into, Readable.from([Buffer.alloc(10_240)]));
    await unpack(into, Readable.from([]));
    await assert.rejects(unpack(into, Readable.from([Buffer.from('x')])), { code: 'archive-invalid' });
  });
});

describe('a member of an archive', () => {
  it('is a plain large file only in the topmost folder, whole, and without extended headers', async () => {
    const file = plainFileIn((await archiveOf(['large'])).subarray(0, 512));
    assert.equal(file?.size, LARGE.length);
    assert.equal(file?.mode, 0o640);
    for (const [names, ...options] of [
      [['d/large']],
      [['small']],
      [['large'], '--format=pax', '--pax-option=comment=x'],
    ]) {
      const block = (await archiveOf(names as string[], ...(options as string[]))).subarray(0, 512);
      assert.equal(plainFileIn(block), undefined, String(names));
    }
    const broken = Buffer.from((await archiveOf(['large'])).subarray(0, 512));
    broken[0] = 0x6d;
    assert.equal(plainFileIn(broken), undefined);
  });
});

describe('a folder below a root', () => {
  it('is opened where no link is on the way', async () => {
    const root = mkdtempSync(join(folder, 'root-'));
    mkdirSync(join(root, 'a/b'), { recursive: true });
    symlinkSync('a', join(root, 'link'));
    writeFileSync(join(root, 'file'), '');
    for (const [path, isThere] of [
      ['', true],
      ['a/b', true],
      ['link/b', false],
      ['file', false],
      ['none', false],
    ] as const) {
      await using opened = await openBelow(root, join(root, path));
      assert.equal(opened !== undefined, isThere, path);
    }
  });
});

describe('an archive that is written', () => {
  const args = ['--directory', folder, '--', 'made'];
  const listed = (archive: Buffer): string => execFileSync('tar', ['--list'], { input: archive, encoding: 'utf8' });

  it('goes into a socket as into any stream', async () => {
    writeFileSync(join(folder, 'made'), LARGE);
    const stream = new PassThrough();
    const [, streamed] = await Promise.all([
      writeTar(stream, { args, signal: undefined }).finally(() => stream.end()),
      buffer(stream),
    ]);
    assert.equal(listed(streamed), 'made\n');
    await using server = createServer((socket) => {
      socket.write(
        'head',
        () => void writeTar(socket, { args, signal: undefined }).finally(() => socket.destroySoon()),
      );
    });
    const path = join(folder, 'socket');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const received = await buffer(connect(path));
    assert.ok(received.subarray(4).equals(streamed));
  });

  it('ends when nobody wants it any more', async () => {
    const [stream, stop] = [new PassThrough(), new AbortController()];
    const written = writeTar(stream, { args, signal: stop.signal });
    stop.abort();
    await written;
    const gone = new PassThrough();
    const lost = writeTar(gone, { args, signal: undefined });
    gone.destroy();
    await lost;
  });
});
