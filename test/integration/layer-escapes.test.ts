import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeHeader, paddingOf, TAR_END } from '../../src/engine/image/tar-encoder.ts';
import { tarEntry, type TarEntry, type TarType } from '../../src/engine/image/tar-entry.ts';
import { unpackLayer } from '../../src/engine/image/unpack.ts';
import { UserError } from '../../src/lib/errors.ts';

const skip = process.getuid?.() === 0 ? false : 'unpacking layers needs root';

/** A member as an attacker writes it: whatever the encoder of ours would never write stands in `pax`. */
type Member = Pick<TarEntry, 'path' | 'type'> &
  Partial<TarEntry> & { readonly content?: string; readonly pax?: Readonly<Record<string, string>> };

function archiveOf(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.flatMap(bytesOf), TAR_END]);
}

function bytesOf({ content = '', pax, ...fields }: Member): readonly Buffer[] {
  const body = Buffer.from(content);
  const header = encodeHeader(tarEntry({ mode: 0o755, size: body.length, ...fields }));
  return [...(pax === undefined ? [] : paxHeader(pax)), header, body, paddingOf(body.length)];
}

function paxHeader(records: Readonly<Record<string, string>>, flag = 'x'): readonly Buffer[] {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  const header = encodeHeader(tarEntry({ path: 'pax', type: 'file', size: body.length }));
  header.write(flag, 156, 1, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return [header, body, paddingOf(body.length)];
}

function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.from(`${length}${rest}`, 'latin1');
}

/** A folder to unpack into, and one beside it that nothing may change. */
class Place implements Disposable {
  readonly #top = mkdtempSync(join(tmpdir(), 'bascule-escape-'));
  readonly inside = join(this.#top, 'inside');
  readonly outside = join(this.#top, 'outside');

  constructor() {
    for (const path of ['inside', 'outside', 'outside/a', 'outside/b']) mkdirSync(join(this.#top, path));
    writeFileSync(join(this.outside, 'victim'), 'whole');
  }

  unpack(archive: Buffer): Promise<unknown> {
    return unpackLayer(Readable.from([archive]), { directory: this.inside });
  }

  /** All that could be seen of an escape. */
  outsideNow(): readonly string[] {
    const lines = (path: string): readonly string[] =>
      readdirSync(path).flatMap((name) => {
        const full = join(path, name);
        const stat = lstatSync(full);
        const said = `${full} ${stat.mode} ${stat.uid} ${stat.isFile() ? `${stat.nlink} ${readFileSync(full, 'utf8')}` : ''}`;
        return stat.isDirectory() ? [said, ...lines(full)] : [said];
      });
    return lines(this.outside);
  }

  [Symbol.dispose](): void {
    rmSync(this.#top, { recursive: true });
  }
}

const link = (path: string, linkTarget: string): Member => ({ path, type: 'symlink', linkTarget });
const hard = (path: string, linkTarget: string): Member => ({ path, type: 'hardlink', linkTarget });
const file = (path: string): Member => ({ path, type: 'file', content: 'hostile' });

describe('layers that want to write outside of their folder', { skip }, () => {
  const attacks: Readonly<Record<string, (outside: string) => readonly Member[]>> = {
    'a hard link of a symbolic link': (outside) => [link('a', outside), hard('b', 'a'), file('b/victim')],
    'a hard link of such a hard link': (outside) => [
      ...[link('a', outside), hard('b', 'a'), hard('c', 'b')],
      file('c/victim'),
    ],
    'a link that a failing member seems to replace': (outside) => [
      ...[link('a', outside), hard('a', 'not there')],
      file('a/victim'),
    ],
    'a link whose name is cut at a zero byte': (outside) => [
      { ...link('q', outside), pax: { path: 'x\0y' } },
      file('x/victim'),
    ],
    'a hard link whose target is cut at a zero byte': (outside) => [
      ...[link('s', outside), { ...hard('q', 'z'), pax: { linkpath: 's\0z' } }],
      file('q/victim'),
    ],
    'a whiteout below a hard link of a link': (outside) => [
      ...[link('a', outside), hard('b', 'a')],
      file('b/.wh.victim'),
    ],
    'an opaque folder below a hard link of a link': (outside) => [
      ...[link('a', outside), hard('b', 'a')],
      file('b/.wh..wh..opq'),
    ],
  };
  for (const [what, members] of Object.entries(attacks)) {
    it(`are refused: ${what}`, async () => {
      using place = new Place();
      const before = place.outsideNow();
      await assert.rejects(place.unpack(archiveOf(members(place.outside))), { code: 'archive-invalid' });
      assert.deepEqual(place.outsideNow(), before);
    });
  }

  it('never do, whatever the order of their members, even where GNU tar stumbles over one and goes on', async () => {
    using place = new Place();
    const before = place.outsideNow();
    const names = [
      'a',
      'b',
      'c',
      'a/b',
      'b/c',
      'c/a',
      './a',
      'a/',
      'b//c',
      'a/.wh.b',
      '.wh.a',
      '.wh.b',
      'a/.wh..wh..opq',
    ];
    const targets = [
      place.outside,
      join(place.outside, 'a'),
      '../outside',
      'a',
      'b',
      'c',
      'a/b',
      'b/victim',
      '.',
      '..',
    ];
    const types: readonly TarType[] = ['file', 'directory', 'symlink', 'symlink', 'hardlink', 'hardlink', 'fifo'];
    const member = fc.record({
      path: fc.constantFrom(...names),
      type: fc.constantFrom(...types),
      linkTarget: fc.constantFrom(...targets),
    });
    const attempt = fc.asyncProperty(fc.array(member, { minLength: 3, maxLength: 8 }), async (members) => {
      rmSync(place.inside, { recursive: true });
      mkdirSync(place.inside);
      const archive = archiveOf(members.map((each) => (each.type === 'file' ? { ...each, content: 'hostile' } : each)));
      await place.unpack(archive).catch((error: unknown) => assert.ok(error instanceof UserError, String(error)));
      assert.deepEqual(place.outsideNow(), before);
    });
    await fc.assert(attempt, { numRuns: 100 });
  });

  it('may have hard links of symbolic links, as real ones have', async () => {
    using place = new Place();
    await place.unpack(archiveOf([link('a', '/etc/x'), hard('b', 'a')]));
    assert.equal(lstatSync(join(place.inside, 'b')).ino, lstatSync(join(place.inside, 'a')).ino);
  });
});

describe('layers that want all there is', { skip }, () => {
  const attacks: Readonly<Record<string, () => readonly Buffer[]>> = {
    'a negative size': () => bytesOf({ path: 'f', type: 'file', pax: { size: '-512' } }),
    'a name that Linux cannot take': () => bytesOf({ ...file('f'), pax: { path: `${'x/'.repeat(3_000)}f` } }),
    'a device that is cut to a whiteout': () => bytesOf({ path: 'd', type: 'character', major: 4_096, minor: 0 }),
    'extended headers without end': () =>
      Array.from({ length: 6 }, (_, at) => paxHeader({ [`comment${at}`]: 'x'.repeat(1024 * 1024) })).flat(),
    'global headers without end': () =>
      Array.from({ length: 3 }, (_, at) => [
        ...paxHeader({ [`comment${at}`]: 'x'.repeat(30_000) }, 'g'),
        ...bytesOf(file('f')),
      ]).flat(),
  };
  for (const [what, bytes] of Object.entries(attacks)) {
    it(`are refused: ${what}`, async () => {
      using place = new Place();
      await assert.rejects(place.unpack(Buffer.concat([...bytes(), TAR_END])), { code: 'archive-invalid' });
    });
  }
});
