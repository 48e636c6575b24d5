import { UserError } from '../../lib/errors.ts';
import { NO_XATTRS, textOf, type TarEntry, type TarType } from './tar-entry.ts';

const BLOCK = 512;
/** Extended headers of pax (`x`, `g`) and long names of GNU tar (`L`, `K`). */
const META_FLAGS = ['x', 'g', 'L', 'K'];
/** Of one extended header, and of all that stand before one member. */
const MAX_META_BYTES = 4 * 1024 * 1024;
/** Of what holds for all members that follow: each of them reads it again. */
const MAX_GLOBAL_BYTES = 64 * 1024;
const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};
const XATTR_PREFIX = 'SCHILY.xattr.';

/** What a parser tells, in the archive's order. Content follows its entry, in pieces of the chunks that came in. */
export interface TarHandler {
  /** The path is as in the archive. */
  onEntry(entry: TarEntry): void;
  onData(data: Buffer): void;
  /** After the last piece of content. */
  onEntryEnd(): void;
  /** Everything that is no content of an entry, in its place among them: headers (after their `onEntry`), padding, the end. */
  onFrame?(data: Buffer): void;
}

export interface TarParser {
  /** @throws UserError `archive-invalid` */
  write(chunk: Buffer): void;
  /** @throws UserError `archive-invalid` when the archive ends in the middle */
  end(): void;
}

/** Reads ustar, pax and GNU archives as they arrive (POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format"). */
export function createTarParser(handler: TarHandler): TarParser {
  return new Parser(handler);
}

class Parser implements TarParser {
  readonly #handler: TarHandler;
  readonly #meta = new MetaState();
  /** Beginning of a block that has not come whole. */
  #partial: Buffer = Buffer.alloc(0);
  /** Of an extended header. */
  #metaPieces: Buffer[] = [];
  #isInEntry = false;
  #metaFlag = '';
  #remaining = 0;
  #padding = 0;
  #isEnded = false;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  write(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#isEnded) {
      const isContent = this.#remaining > 0 && this.#isInEntry;
      const length = this.#take(rest);
      if (!isContent) this.#handler.onFrame?.(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    if (rest.length > 0) this.#handler.onFrame?.(rest);
  }

  end(): void {
    if (this.#remaining > 0 || this.#padding > 0 || this.#partial.length > 0) {
      throw invalidArchive('it ends in the middle of a member');
    }
  }

  /** @returns how many bytes it took */
  #take(data: Buffer): number {
    if (this.#remaining > 0) return this.#takeContent(data.subarray(0, this.#remaining));
    if (this.#padding === 0) return this.#takeHeader(data);
    const skipped = Math.min(this.#padding, data.length);
    this.#padding -= skipped;
    return skipped;
  }

  #takeContent(piece: Buffer): number {
    if (this.#isInEntry) this.#handler.onData(piece);
    else this.#metaPieces.push(Buffer.from(piece));
    this.#remaining -= piece.length;
    if (this.#remaining === 0) this.#finishContent();
    return piece.length;
  }

  #takeHeader(data: Buffer): number {
    if (this.#partial.length === 0 && data.length >= BLOCK) {
      this.#startMember(data.subarray(0, BLOCK));
      return BLOCK;
    }
    const piece = data.subarray(0, BLOCK - this.#partial.length);
    this.#partial = Buffer.concat([this.#partial, piece]);
    if (this.#partial.length < BLOCK) return piece.length;
    const block = this.#partial;
    this.#partial = Buffer.alloc(0);
    this.#startMember(block);
    return piece.length;
  }

  #startMember(block: Buffer): void {
    this.#isEnded = isZero(block);
    if (this.#isEnded) return;
    verifyChecksum(block);
    const flag = String.fromCharCode(block[156]!);
    this.#isInEntry = !META_FLAGS.includes(flag);
    if (this.#isInEntry) this.#startEntry(this.#meta.apply(block, flag));
    else this.#startMeta(flag, sizeOf(numberAt(block, 124, 12)));
    this.#padding = (BLOCK - (this.#remaining % BLOCK)) % BLOCK;
    if (this.#remaining === 0) this.#finishContent();
  }

  #startEntry(entry: TarEntry): void {
    this.#remaining = entry.size;
    this.#handler.onEntry(entry);
  }

  #startMeta(flag: string, size: number): void {
    if (size > MAX_META_BYTES) throw metaTooLarge();
    this.#metaFlag = flag;
    this.#remaining = size;
  }

  #finishContent(): void {
    if (this.#isInEntry) return this.#handler.onEntryEnd();
    this.#meta.add(this.#metaFlag, Buffer.concat(this.#metaPieces));
    this.#metaPieces = [];
  }
}

/** What extended headers say about the member that follows. */
class MetaState {
  #global = new Map<string, string>();
  #local = new Map<string, string>();
  #globalBytes = 0;
  #localBytes = 0;

  add(flag: string, body: Buffer): void {
    if (flag === 'g') this.#globalBytes += body.length;
    else this.#localBytes += body.length;
    if (this.#globalBytes > MAX_GLOBAL_BYTES || this.#localBytes > MAX_META_BYTES) throw metaTooLarge();
    if (flag === 'L') this.#local.set('path', untilZero(body));
    else if (flag === 'K') this.#local.set('linkpath', untilZero(body));
    else for (const [key, value] of paxRecords(body)) (flag === 'g' ? this.#global : this.#local).set(key, value);
  }

  apply(block: Buffer, flag: string): TarEntry {
    const pax = this.#global.size === 0 ? this.#local : new Map([...this.#global, ...this.#local]);
    this.#local = new Map();
    this.#localBytes = 0;
    const path = pax.get('path') ?? nameOf(block);
    const type = typeOf(flag, path);
    if (type === undefined || [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
      throw invalidArchive(`"${textOf(path)}" is of a kind that is not supported (type "${flag}")`);
    }
    return {
      path,
      type,
      mode: numberAt(block, 100, 8) & 0o7777,
      uid: wholeNumber(pax.get('uid')) ?? numberAt(block, 108, 8),
      gid: wholeNumber(pax.get('gid')) ?? numberAt(block, 116, 8),
      size: type === 'file' ? sizeOf(wholeNumber(pax.get('size')) ?? numberAt(block, 124, 12)) : 0,
      mtime: wholeNumber(pax.get('mtime')) ?? numberAt(block, 136, 12),
      nanoseconds: nanosecondsAbove(pax.get('mtime')),
      linkTarget: pax.get('linkpath') ?? untilZero(block.subarray(157, 257)),
      major: type === 'character' || type === 'block' ? numberAt(block, 329, 8) : 0,
      minor: type === 'character' || type === 'block' ? numberAt(block, 337, 8) : 0,
      xattrs: xattrsOf(pax),
    };
  }
}

function sizeOf(size: number): number {
  if (size >= 0 && Number.isSafeInteger(size)) return size;
  throw invalidArchive('a header has a size that there cannot be');
}

function metaTooLarge(): UserError {
  return invalidArchive('its extended headers are too large');
}

function typeOf(flag: string, path: string): TarType | undefined {
  const type = TYPES[flag];
  return type === 'file' && path.endsWith('/') ? 'directory' : type;
}

function nameOf(block: Buffer): string {
  const name = untilZero(block.subarray(0, 100));
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? untilZero(block.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function xattrsOf(pax: ReadonlyMap<string, string>): ReadonlyMap<string, Buffer> {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of pax) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    (xattrs ??= new Map()).set(key.slice(XATTR_PREFIX.length), Buffer.from(value, 'latin1'));
  }
  return xattrs ?? NO_XATTRS;
}

function* paxRecords(body: Buffer): Generator<[string, string]> {
  let offset = 0;
  while (offset < body.length && body[offset] !== 0) {
    const space = body.indexOf(0x20, offset);
    const length = Number(body.toString('latin1', offset, Math.max(space, offset)));
    const equals = body.indexOf(0x3d, space);
    const end = offset + length;
    if (space < 0 || !(length > 0) || equals < 0 || end > body.length || equals >= end || body[end - 1] !== 0x0a) {
      throw invalidArchive('an extended header is broken');
    }
    yield [body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1)];
    offset = end;
  }
}

/** The integer below a decimal number such as `-1.5`, from text: a floating-point number would lose digits. */
function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (match === null) throw invalidArchive(`"${text}" in an extended header is not a number`);
  const whole = Number(match[2]);
  if (match[1] === '') return whole;
  return /[1-9]/.test(match[3] ?? '') ? -whole - 1 : -whole;
}

/** What a decimal number has above the integer below it, in billionths. */
function nanosecondsAbove(text: string | undefined): number {
  const [, sign, digits = ''] = /^(-?)\d+\.(\d+)$/.exec(text ?? '') ?? [];
  const billionths = Number(digits.slice(0, 9).padEnd(9, '0'));
  return sign === '-' && billionths > 0 ? 1_000_000_000 - billionths : billionths;
}

/** Octal text, or GNU's base 256 with the top bit set. */
function numberAt(block: Buffer, offset: number, length: number): number {
  if ((block[offset]! & 0x80) !== 0) return base256(block.subarray(offset, offset + length));
  const text = untilZero(block.subarray(offset, offset + length)).trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw invalidArchive('a header has a number that is not octal');
  return Number.parseInt(text, 8);
}

function base256(bytes: Buffer): number {
  const isNegative = (bytes[0]! & 0x40) !== 0;
  let value = isNegative ? -1n : 0n;
  for (const [index, byte] of bytes.entries())
    value = (value << 8n) | BigInt(index === 0 && !isNegative ? byte & 0x7f : byte);
  const number = Number(BigInt.asIntN(64, value));
  if (!Number.isSafeInteger(number)) throw invalidArchive('a header has a number that is too large');
  return number;
}

function verifyChecksum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) sum += block[index]!; // an iterator takes ten times as long
  for (let index = 148; index < 156; index++) sum -= block[index]!;
  if (sum !== numberAt(block, 148, 8))
    throw invalidArchive('it is not a tar archive, or it is damaged (header checksum)');
}

function untilZero(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  return bytes.toString('latin1', 0, zero < 0 ? bytes.length : zero);
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}

/** The archive itself is broken or hostile. */
export function invalidArchive(what: string): UserError {
  return new UserError({
    code: 'archive-invalid',
    kind: 'invalid',
    message: `invalid tar archive: ${what}`,
    fix: 'Make the archive again, for example with `docker save`, and check that it was transferred whole.',
  });
}
