import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { chunksOf, linesOf } from './streams.ts';

function frame(stream: 'stdout' | 'stderr', text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

it('takes frames apart, however the stream is cut', async () => {
  const frames = fc.array(fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), fc.string()));
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 20 }), async (given, size) => {
      const data = Buffer.concat(given.map(([stream, text]) => frame(stream, text)));
      const chunks = await Array.fromAsync(chunksOf(pieces(data, size), false));
      assert.deepEqual(
        chunks.map(({ stream, data: bytes }) => [stream, bytes.toString()]),
        given,
      );
    }),
  );
});

it('reads lines with their times, each stream by itself', async () => {
  const at = '2026-01-02T03:04:05.678901234Z';
  const data = Buffer.concat([
    frame('stdout', `${at} hel`),
    frame('stderr', `${at} oops\n`),
    frame('stdout', 'lo\r\n'),
  ]);
  const lines = await Array.fromAsync(linesOf(chunksOf(pieces(data, 7), false)));
  assert.deepEqual(lines, [
    { stream: 'stderr', at: new Date('2026-01-02T03:04:05.678Z'), text: 'oops' },
    { stream: 'stdout', at: new Date('2026-01-02T03:04:05.678Z'), text: 'hello' },
  ]);
});
