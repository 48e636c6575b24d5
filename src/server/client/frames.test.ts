import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { encodeFrame, FRAME_KINDS, frameDecoder, type Frame } from './frames.ts';

it('gives back the frames whatever the chunks they come in', async () => {
  const frame = fc.record({ kind: fc.constantFrom(...FRAME_KINDS), payload: fc.uint8Array({ maxLength: 50 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 20 }), async (frames, size) => {
      const bytes = Buffer.concat(frames.map(({ kind, payload }) => encodeFrame(kind, payload)));
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const decoded = (await Readable.from(chunks).pipe(frameDecoder()).toArray()) as Frame[];
      assert.deepEqual(
        decoded.map(({ kind, payload }) => [kind, [...payload]]),
        frames.map(({ kind, payload }) => [kind, [...payload]]),
      );
    }),
  );
});

it('refuses what is no frame', async () => {
  await assert.rejects(
    Readable.from([Buffer.from([200, 0, 0, 0, 0])])
      .pipe(frameDecoder())
      .toArray(),
  );
});
