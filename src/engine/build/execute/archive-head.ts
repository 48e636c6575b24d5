import { Readable } from 'node:stream';

const BLOCK = 512;
const CHECKSUM_AT = 148;
const MAGICS = [
  [0x1f, 0x8b],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x28, 0xb5, 0x2f, 0xfd],
] as const;

/** The first bytes of a stream, at least a block where it has one, and the stream as if nobody had read it. */
export async function withHead(stream: Readable): Promise<{ readonly head: Buffer; readonly whole: Readable }> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const read: Buffer[] = [];
  let length = 0;
  while (length < BLOCK) {
    const next = await chunks.next();
    if (next.done === true) break;
    read.push(Buffer.from(next.value));
    length += next.value.length;
  }
  const head = Buffer.concat(read);
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  return { head, whole: Readable.from(all()) };
}

/** Whether bytes begin a tar (by the checksum of its first header, POSIX ustar) or a compressed file. Pure. */
export function looksLikeArchive(head: Buffer): boolean {
  return MAGICS.some((magic) => magic.every((byte, at) => head[at] === byte)) || isTarHeader(head);
}

function isTarHeader(head: Buffer): boolean {
  if (head.length < BLOCK) return false;
  const block = head.subarray(0, BLOCK);
  if (block.every((byte) => byte === 0)) return true; // an archive of nothing
  const told = Number.parseInt(block.toString('latin1', CHECKSUM_AT, CHECKSUM_AT + 8).replaceAll(/[\0 ]/g, ''), 8);
  let sum = 8 * 0x20;
  for (const [at, byte] of block.entries()) if (at < CHECKSUM_AT || at >= CHECKSUM_AT + 8) sum += byte;
  return sum === told;
}
