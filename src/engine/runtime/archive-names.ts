export const BLOCK = 512;
/** Longer extended headers are passed over: no name that Linux takes needs so much. */
const MOST_META_BYTES = 1024 * 1024;
/** Links, devices, folders, pipes. */
const WITHOUT_CONTENT = '123456';

interface Meta {
  readonly flag: string;
  readonly size: number;
  left: number;
  readonly pieces: Buffer[];
}

/**
 * Tells the names of an archive's members as it goes by, each before its content: ustar, pax and GNU, with holes. Names are
 * byte strings ("latin1"). For archives of people who are trusted: it refuses nothing.
 */
export class NameReader {
  readonly #onName: (name: string, isFolder: boolean) => void;
  #partial: Buffer = Buffer.alloc(0);
  #skip = 0;
  #meta: Meta | undefined;
  #next: { readonly path?: string; readonly size?: number } = {};
  /** More of a map of holes follows; then so much content. */
  #behindMap: number | undefined;

  constructor(onName: (name: string, isFolder: boolean) => void) {
    this.#onName = onName;
  }

  read(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0;) rest = rest.subarray(this.#take(rest));
  }

  #take(data: Buffer): number {
    if (this.#meta !== undefined) return this.#takeMeta(data, this.#meta);
    if (this.#skip > 0) {
      const taken = Math.min(this.#skip, data.length);
      this.#skip -= taken;
      return taken;
    }
    const piece = data.subarray(0, BLOCK - this.#partial.length);
    this.#partial = Buffer.concat([this.#partial, piece]);
    if (this.#partial.length === BLOCK) {
      const block = this.#partial;
      this.#partial = Buffer.alloc(0);
      this.#block(block);
    }
    return piece.length;
  }

  #block(block: Buffer): void {
    if (this.#behindMap !== undefined) {
      if (block[504] !== 0) return;
      this.#skip = this.#behindMap;
      this.#behindMap = undefined;
    } else if (block.some((byte) => byte !== 0)) this.#header(block);
  }

  #header(block: Buffer): void {
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = numberAt(block, 124);
    if ('xL'.includes(flag) && size > 0) this.#meta = { flag, size, left: size, pieces: [] };
    else if ('xLgK'.includes(flag)) this.#skip = padded(size);
    else {
      const name = this.#next.path ?? nameIn(block);
      this.#onName(name, flag === '5' || name.endsWith('/'));
      const content = WITHOUT_CONTENT.includes(flag) ? 0 : padded(this.#next.size ?? size);
      this.#next = {};
      if (flag === 'S' && block[482] === 1) this.#behindMap = content;
      else this.#skip = content;
    }
  }

  #takeMeta(data: Buffer, meta: Meta): number {
    const taken = data.subarray(0, meta.left);
    if (meta.size <= MOST_META_BYTES) meta.pieces.push(Buffer.from(taken));
    meta.left -= taken.length;
    if (meta.left > 0) return taken.length;
    const body = Buffer.concat(meta.pieces);
    this.#next = { ...this.#next, ...(meta.flag === 'L' ? { path: untilZero(body) } : paxIn(body)) };
    this.#skip = padded(meta.size) - meta.size;
    this.#meta = undefined;
    return taken.length;
  }
}

/** `<length> <key>=<value>\n`, again and again (POSIX.1-2017, pax). */
function paxIn(body: Buffer): { readonly path?: string; readonly size?: number } {
  const found = new Map<string, string>();
  for (let at = 0; at < body.length;) {
    const length = Number.parseInt(body.toString('latin1', at, at + 20), 10);
    if (!(length > 0)) break;
    const record = body.toString('latin1', at, at + length - 1);
    const equals = record.indexOf('=');
    found.set(record.slice(record.indexOf(' ') + 1, equals), record.slice(equals + 1));
    at += length;
  }
  const path = found.get('GNU.sparse.name') ?? found.get('path');
  const size = found.get('size');
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { size: Number(size) }) };
}

function nameIn(block: Buffer): string {
  const name = untilZero(block.subarray(0, 100));
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? untilZero(block.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

export function untilZero(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  return bytes.toString('latin1', 0, zero < 0 ? bytes.length : zero);
}

/** Octal, or GNU's base 256. */
export function numberAt(block: Buffer, offset: number, length = 12): number {
  if ((block[offset]! & 0x80) !== 0) return Number(block.readBigUInt64BE(offset + length - 8) & (2n ** 63n - 1n));
  return Number.parseInt(untilZero(block.subarray(offset, offset + length)).trim(), 8) || 0;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
