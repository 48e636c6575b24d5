import type { LogEntry } from '../fleet.ts';

export interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/**
 * The engine's multiplexed stream: frames of an 8 byte header (stream, 3 zeros, length) and the data.
 * With a terminal there are no frames. (Docker Engine API, "Attach to a container", stream format.)
 */
export async function* chunksOf(source: AsyncIterable<Buffer | string>, tty: boolean): AsyncGenerator<Chunk> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const part of source) {
    const data = typeof part === 'string' ? Buffer.from(part) : part;
    if (tty) {
      yield { stream: 'stdout', data };
      continue;
    }
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    for (;;) {
      if (pending.length < 8) break;
      const length = pending.readUInt32BE(4);
      if (pending.length < 8 + length) break;
      yield { stream: pending[0] === 2 ? 'stderr' : 'stdout', data: pending.subarray(8, 8 + length) };
      pending = pending.subarray(8 + length);
    }
  }
}

/** Log lines out of chunks whose lines begin with an RFC 3339 time. */
export async function* linesOf(chunks: AsyncIterable<Chunk>): AsyncGenerator<LogEntry> {
  const open = { stdout: '', stderr: '' };
  for await (const { stream, data } of chunks) {
    const lines = (open[stream] + data.toString('utf8')).split('\n');
    open[stream] = lines.pop() ?? '';
    for (const line of lines) yield entryOf(stream, line);
  }
  for (const stream of ['stdout', 'stderr'] as const) if (open[stream] !== '') yield entryOf(stream, open[stream]);
}

function entryOf(stream: LogEntry['stream'], line: string): LogEntry {
  const space = line.indexOf(' ');
  const at = new Date(line.slice(0, space));
  if (space < 0 || Number.isNaN(at.getTime())) return { stream, at: new Date(0), text: line.replace(/\r$/, '') };
  return { stream, at, text: line.slice(space + 1).replace(/\r$/, '') };
}

/** JSON values, one a line. */
export async function* jsonLinesOf(source: AsyncIterable<Buffer | string>): AsyncGenerator<unknown> {
  let open = '';
  for await (const part of source) {
    const lines = (open + part.toString()).split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
  if (open.trim() !== '') yield JSON.parse(open);
}
