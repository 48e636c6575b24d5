import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
const BLOCK_BYTES = 1024 * 1024;
/**
 * Measured once, on a busy machine, over 64 MiB of a program in such blocks: 34 MB/s where level 6 made 13, and 3 % larger.
 */
const LEVEL = 4;

/**
 * Compresses with all processors, off the event loop: the stream is cut into blocks, each a gzip member of its own;
 * many members are one gzip file (RFC 1952, section 2.2). The same bytes give the same result.
 */
export async function* gzipBlocks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const limit = availableParallelism() + 1;
  const running: Promise<Buffer>[] = [];
  let isEmpty = true;
  for await (const block of blocksOf(source)) {
    isEmpty = false;
    const member = compress(block, { level: LEVEL });
    member.catch(() => {}); // it is awaited below
    running.push(member);
    if (running.length >= limit) yield await running.shift()!;
  }
  for (const member of running) yield await member;
  if (isEmpty) yield await compress(Buffer.alloc(0));
}

async function* blocksOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (length + rest.length >= BLOCK_BYTES) {
      const end = BLOCK_BYTES - length;
      yield Buffer.concat([...pieces, rest.subarray(0, end)]);
      rest = rest.subarray(end);
      pieces = [];
      length = 0;
    }
    if (rest.length > 0) pieces.push(rest);
    length += rest.length;
  }
  if (length > 0) yield Buffer.concat(pieces);
}
