import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
import { tarEntry, type TarEntry, type TarType } from './tar-entry.ts';
import { createTarParser } from './tar-parser.ts';

interface Member {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

const nameByte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f);
const name = fc.array(nameByte, { minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const xattrs = fc
  .dictionary(fc.constantFrom('security.capability', 'user.a', 'user.b'), fc.uint8Array({ maxLength: 64 }))
  .map((record) => new Map(Object.entries(record).map(([key, value]) => [key, Buffer.from(value)])));
const member: fc.Arbitrary<Member> = fc
  .record({
    path,
    type: fc.constantFrom<TarType>('file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    nanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
    linkTarget: path,
    major: fc.integer({ min: 0, max: 4095 }),
    minor: fc.integer({ min: 0, max: 1_048_575 }),
    xattrs,
    content: fc.uint8Array({ maxLength: 1_500 }),
  })
  .map(({ content, ...fields }) => plain(fields, Buffer.from(content)));

/** An entry has only what its type has. */
function plain(fields: TarEntryFields, content: Buffer): Member {
  const { type } = fields;
  const isLink = type === 'symlink' || type === 'hardlink';
  const isDevice = type === 'character' || type === 'block';
  const entry = tarEntry({
    ...fields,
    size: type === 'file' ? content.length : 0,
    linkTarget: isLink ? fields.linkTarget : '',
    major: isDevice ? fields.major : 0,
    minor: isDevice ? fields.minor : 0,
  });
  return { entry, content: type === 'file' ? content : Buffer.alloc(0) };
}
type TarEntryFields = Pick<TarEntry, 'path' | 'type' | 'linkTarget' | 'major' | 'minor'> & Partial<TarEntry>;

describe('tar', () => {
  it('gives back what was encoded, however the bytes arrive', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(member, { maxLength: 8 }), pieces, (members, sizes) => {
        assert.deepEqual(parse(cut(encode(members), sizes)), members);
      }),
      { numRuns: 150 },
    );
  });

  it('refuses an archive that ends in the middle of a member', () => {
    const bytes = encode([plain({ path: 'a', type: 'file', linkTarget: '', major: 0, minor: 0 }, Buffer.from('abc'))]);
    for (const length of [100, 512, 514, 600]) {
      assert.throws(() => parse([bytes.subarray(0, length)]), isInvalid);
    }
  });

  it('refuses what is no archive', () => {
    assert.throws(() => parse([Buffer.alloc(1024, 'x')]), isInvalid);
  });

  it('refuses an extended header whose lengths lie', () => {
    for (const body of ['99 path=x\n', 'x path=y\n', '6 path\n', '12 path=abc ', '0 a=b\n']) {
      const header = encodeHeader(tarEntry({ path: 'p', type: 'file', size: body.length }));
      header.write('x', 156);
      rewriteChecksum(header);
      const bytes = Buffer.concat([header, Buffer.from(body), paddingOf(body.length), TAR_END]);
      assert.throws(() => parse([bytes]), isInvalid, body);
    }
  });

  it('reads numbers in base 256 and long names as GNU tar writes them', () => {
    const longName = 'n'.repeat(300);
    const longHeader = encodeHeader(tarEntry({ path: '././@LongLink', type: 'file', size: 301 }));
    longHeader.write('L', 156);
    rewriteChecksum(longHeader);
    const header = encodeHeader(tarEntry({ path: 'n', type: 'file' }));
    header.fill(0, 108, 116);
    header[108] = 0x80;
    header.writeUInt32BE(3_000_000_000, 112);
    rewriteChecksum(header);
    const bytes = Buffer.concat([longHeader, Buffer.from(`${longName}\0`), paddingOf(301), header, TAR_END]);
    const [only] = parse([bytes]);
    assert.equal(only?.entry.path, longName);
    assert.equal(only?.entry.uid, 3_000_000_000);
  });
});

function encode(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ entry, content }) => [encodeHeader(entry), content, paddingOf(content.length)]);
  return Buffer.concat([...parts, TAR_END]);
}

function parse(chunks: readonly Buffer[]): readonly Member[] {
  const members: { entry: TarEntry; content: Buffer }[] = [];
  const parser = createTarParser({
    onEntry: (entry) => {
      const plainPath = entry.type === 'directory' ? entry.path.slice(0, -1) : entry.path;
      members.push({ entry: { ...entry, path: plainPath }, content: Buffer.alloc(0) });
    },
    onData: (data) => {
      const last = members.at(-1)!;
      last.content = Buffer.concat([last.content, data]);
    },
    onEntryEnd() {},
  });
  for (const chunk of chunks) parser.write(chunk);
  parser.end();
  return members;
}

function cut(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    chunks.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return chunks;
}

function rewriteChecksum(header: Buffer): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function isInvalid(error: unknown): boolean {
  return error instanceof UserError && error.code === 'archive-invalid';
}
