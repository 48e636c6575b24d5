import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openThreadPool } from '../../../lib/thread-pool.ts';
import { gzipMember } from './gzip-member.ts';
import { createCompressor } from './gzip.ts';

async function compressed(data: Buffer, pieceBytes: number): Promise<Buffer> {
  await using pool = openThreadPool(gzipMember, 2);
  const members: Uint8Array[] = [];
  const compressor = createCompressor({ pool, take: async (member) => void members.push(member) });
  for (let at = 0; at < data.length; at += pieceBytes) {
    compressor.write(data.subarray(at, at + pieceBytes));
    await compressor.flush();
  }
  await compressor.end();
  return Buffer.concat(members);
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

  it('stores what is as good as random, and compresses what is not, wherever one ends', async () => {
    const text = Buffer.alloc(700_001, 'All happy families are alike. ');
    const data = Buffer.concat([text, randomBytes(300_001), text, randomBytes(1_500), text]);
    const made = await compressed(data, 65_536);
    assert.ok(gunzipSync(made).equals(data));
    assert.ok(made.length > 300_000 && made.length < 330_000, String(made.length));
    const numbers = Buffer.concat(
      Array.from({ length: 100_000 }, () => Buffer.concat([randomBytes(1), Buffer.alloc(7)])),
    );
    assert.ok((await compressed(numbers, 65_536)).length < numbers.length / 3);
  });

  it('tells what does not take its members', async () => {
    await using pool = openThreadPool(gzipMember, 1);
    const compressor = createCompressor({ pool, take: () => Promise.reject(new Error('the disk is full')) });
    compressor.write(Buffer.alloc(3_000_000));
    await assert.rejects(compressor.end(), /the disk is full/);
  });
});
