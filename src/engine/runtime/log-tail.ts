import type { FileHandle } from 'node:fs/promises';
import { parseRecord, type LogRecord } from './log-format.ts';

const BLOCK_BYTES = 64 * 1024;
const LF = 0x0a;

/**
 * The offset in a log at which its last `lines` lines begin that are wanted, read from the end backwards, and how many
 * lines these are.
 * A piece without a line end at the end of the log is a line too.
 */
export async function tailOffset(
  file: FileHandle,
  o: { readonly size: number; readonly lines: number; wants(record: LogRecord): boolean },
): Promise<{ readonly offset: number; readonly lines: number }> {
  if (o.lines <= 0) return { offset: o.size, lines: 0 };
  let seen = 0;
  let best = o.size;
  for await (const { offset, record } of backwards(file, o.size)) {
    if (!o.wants(record)) continue;
    if (record.full || best === o.size) seen += 1;
    if (seen > o.lines) return { offset: best, lines: o.lines };
    best = offset;
  }
  return { offset: best, lines: seen };
}

/** Records with their offsets, the last first. */
async function* backwards(
  file: FileHandle,
  size: number,
): AsyncGenerator<{ readonly offset: number; readonly record: LogRecord }> {
  let carry = Buffer.alloc(0);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = Buffer.alloc(end - start);
    await file.read(block, 0, block.length, start);
    const data = Buffer.concat([block, carry]);
    let lineEnd = data.length;
    for (let at = data.lastIndexOf(LF, lineEnd - 2); lineEnd > 0 && at >= 0; at = lastLineFeed(data, lineEnd)) {
      const record = parseRecord(data.subarray(at + 1, lineEnd));
      if (record !== undefined) yield { offset: start + at + 1, record };
      lineEnd = at + 1;
    }
    carry = data.subarray(0, lineEnd);
    end = start;
  }
  const record = parseRecord(carry);
  if (record !== undefined) yield { offset: 0, record };
}

function lastLineFeed(data: Buffer, lineEnd: number): number {
  return lineEnd < 2 ? -1 : data.lastIndexOf(LF, lineEnd - 2);
}
