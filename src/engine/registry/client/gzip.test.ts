import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { gzipBlocks } from './gzip.ts';

async function compressed(data: Buffer, pieceBytes: number): Promise<Buffer> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
  }
  return await buffer(Readable.from(gzipBlocks(pieces())));
}

describe('gzip by all processors', () => {
  it('is read by zlib and gzip(1), and is the same for the same bytes however they come', async () => {
    for (const length of [0, 1, 1_048_576, 1_048_577, 5_000_000]) {
      const data = Buffer.concat([randomBytes(length / 2), Buffer.alloc(length - Math.floor(length / 2), 'x')]);
      const one = await compressed(data, 65_536);
      assert.ok(one.equals(await compressed(data, 1_000_003)), String(length));
      assert.ok(gunzipSync(one).equals(data));
      assert.ok(execFileSync('gzip', ['-dc'], { input: one, maxBuffer: 1e8 }).equals(data));
    }
  });
});
