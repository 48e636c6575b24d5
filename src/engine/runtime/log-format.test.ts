import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanLog, SPAN, streamIn, timeIn } from './log-format.ts';
import { tailOffset } from './log-tail.ts';

const TIME = '2026-11-21T08:49:01.070237868+00:00';

/** As conmon writes: each write is split at line feeds, and what has none is marked as partial. */
function asConmon(writes: readonly { readonly stream: string; readonly data: Buffer }[]): Buffer {
  const lines: Buffer[] = [];
  for (const { stream, data } of writes) {
    for (let start = 0; start < data.length;) {
      const feed = data.indexOf(0x0a, start);
      const end = feed < 0 ? data.length : feed;
      lines.push(
        Buffer.from(`${TIME} ${stream} ${feed < 0 ? 'P' : 'F'} `),
        data.subarray(start, end),
        Buffer.from('\n'),
      );
      start = feed < 0 ? data.length : feed + 1;
    }
  }
  return Buffer.concat(lines);
}

interface Parsed {
  readonly records: readonly { readonly stream: string; readonly at: Date; readonly data: Buffer }[];
  readonly consumed: number;
}

function parseLog(text: Buffer): Parsed {
  const batch = scanLog(text);
  const starts = Array.from({ length: batch.spans.length / SPAN }, (_, index) => index * SPAN);
  const records = starts.map((at) => ({
    stream: streamIn(batch, at),
    at: timeIn(batch, at),
    data: text.subarray(batch.spans[at + 2], batch.spans[at + 3]),
  }));
  return { records, consumed: batch.consumed };
}

const bytes = fc
  .array(fc.constantFrom(0, 0x0a, 0x0d, 0x20, 0x41, 0xff), { maxLength: 12 })
  .map((list) => Buffer.from(list));
const writes = fc.array(fc.record({ stream: fc.constantFrom('stdout', 'stderr'), data: bytes }), { maxLength: 12 });

describe('log of a container', () => {
  it('gives back every byte of every stream, wherever the file is cut', () => {
    fc.assert(
      fc.property(writes, fc.nat(), (list, seed) => {
        const file = asConmon(list);
        const cut = file.length === 0 ? 0 : seed % file.length;
        const first = parseLog(file.subarray(0, cut));
        const second = parseLog(file.subarray(first.consumed));
        assert.equal(first.consumed + second.consumed, file.length);
        for (const stream of ['stdout', 'stderr']) {
          const wanted = Buffer.concat(list.filter((write) => write.stream === stream).map(({ data }) => data));
          const records = [...first.records, ...second.records].filter((record) => record.stream === stream);
          assert.deepEqual(Buffer.concat(records.map(({ data }) => data)), wanted);
        }
      }),
    );
  });

  it('reads the time and passes over lines that are none', () => {
    const { records } = parseLog(Buffer.from(`rubbish\n${TIME} stdout F hello\n${TIME} stdin F no\n`));
    assert.equal(records.length, 1);
    assert.equal(records[0]!.at.toISOString(), '2026-11-21T08:49:01.070Z');
    assert.equal(String(records[0]!.data), 'hello\n');
  });

  it('finds its last lines from the end, in files of many blocks', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'bascule-tail-'));
    try {
      const path = join(directory, 'log');
      const lines = Array.from({ length: 3_000 }, (_, i) => ({
        stream: 'stdout',
        data: Buffer.from(`${i} ${'x'.repeat(i % 200)}\n`),
      }));
      const text = asConmon([
        ...lines,
        { stream: 'stderr', data: Buffer.from('other\n') },
        { stream: 'stdout', data: Buffer.from('end') },
      ]);
      await writeFile(path, text);
      const file = await open(path);
      for (const count of [0, 1, 2, 3, 700, 2_999, 5_000]) {
        const { offset } = await tailOffset(file, {
          size: text.length,
          lines: count,
          wants: ({ stream }) => stream === 'stdout',
        });
        const { records } = parseLog(text.subarray(offset));
        const wanted = records.filter(({ stream }) => stream === 'stdout');
        assert.equal(wanted.length, Math.min(count, 3_001), `tail ${count}`);
      }
      await file.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
