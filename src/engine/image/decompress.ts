import { type Duplex, pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { startProgram } from './program.ts';

const MAGIC_BYTES = 6;
/** Of what comes out at once: each piece is a turn of the event loop. */
const PIECE = { chunkSize: 256 * 1024 };
/** An archive says how much memory its reader needs, up to 4 GiB; `xz -9` says 65 MiB. */
const XZ_MEMORY = '--memlimit-decompress=512MiB';

/**
 * The plain bytes of a stream that may be compressed with gzip, zstd, xz or bzip2, which its first bytes tell.
 * Decompression runs off the event loop. Errors of either side destroy the result.
 */
export async function decompressed(source: Readable, signal?: AbortSignal): Promise<Readable> {
  const { head, whole } = await peek(source);
  if (startsWith(head, [0x1f, 0x8b])) return through(whole, createGunzip(PIECE));
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return through(whole, createZstdDecompress(PIECE));
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]))
    return byProgram(whole, ['xz', '--decompress', '--stdout', XZ_MEMORY], signal);
  if (startsWith(head, [0x42, 0x5a, 0x68])) return byProgram(whole, ['bzip2', '--decompress', '--stdout'], signal);
  return whole;
}

function through(source: Readable, decoder: Duplex): Readable {
  return pipeline(source, decoder, () => {}); // the error destroys the last stream
}

function byProgram(source: Readable, argv: readonly [string, ...string[]], signal?: AbortSignal): Readable {
  return Readable.from(decode(source, argv, signal), { objectMode: false });
}

async function* decode(
  source: Readable,
  argv: readonly [string, ...string[]],
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  await using program = startProgram(argv, signal);
  let failure: unknown;
  pipeline(source, program.stdin, (error) => (failure = error ?? undefined));
  for await (const chunk of program.stdout) yield chunk as Buffer;
  await program.succeeded();
  if (failure !== undefined) throw failure;
}

/** Reads the first bytes, and gives a stream that has them still. */
async function peek(source: Readable): Promise<{ head: Buffer; whole: Readable }> {
  const iterator = source.iterator({ destroyOnReturn: true })[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < MAGIC_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    chunks.push(next.value as Buffer);
    length += (next.value as Buffer).length;
  }
  const head = Buffer.concat(chunks);
  return { head, whole: Readable.from(chain(head, iterator), { objectMode: false }) };
}

async function* chain(head: Buffer, rest: AsyncIterator<unknown>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value as Buffer;
  } finally {
    await rest.return?.();
  }
}

function startsWith(bytes: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
