import { type LogBatch, SPAN } from '../runtime/index.ts';

export interface LogStyle {
  /** Without frames: a terminal has one stream. */
  readonly tty: boolean;
  /** The time before each line (`docker logs -t`). */
  readonly timestamps: boolean;
  /** Before each line, behind the time (`docker logs --details`); undefined: nothing. */
  readonly details: string | undefined;
}

const HEAD_BYTES = 8;
const LF = 0x0a;
const SPACE = 0x20;
/** `2026-11-21T08:49:01.070237868Z ` */
const TIME_BYTES = 31;
/** conmon writes the zone of the machine's clock, mostly this one. */
const UTC = Buffer.from('+00:00 ');
const SECONDS = 19;

/**
 * What goes over the wire for lines of a log: a frame each (see `frames.ts`), as clients expect that cut answers into
 * lines. A line that comes in pieces gets time and details once.
 */
export function logFrames({ tty, timestamps, details = '' }: LogStyle): (batch: LogBatch) => Buffer {
  const isInLine = [false, false, false];
  const added = Buffer.from(details);
  const hasPrefix = timestamps || added.length > 0;
  const most = (tty ? 0 : HEAD_BYTES) + added.length + (timestamps ? TIME_BYTES : 0);
  const head = (
    out: Buffer,
    at: number,
    { bytes, start }: { readonly bytes: Buffer; readonly start: number },
  ): number => {
    const behindTime = timestamps ? writeTime(out, at, { bytes, start }) : at;
    return behindTime + added.copy(out, behindTime);
  };
  return ({ bytes, spans }) => {
    const out = Buffer.allocUnsafe(bytes.length + (spans.length / SPAN) * most);
    let size = 0;
    for (let i = 0; i < spans.length; i += SPAN) {
      const [stream, start, from, to] = [spans[i]!, spans[i + 1]!, spans[i + 2]!, spans[i + 3]!];
      const frame = size;
      if (!tty) size += HEAD_BYTES;
      if (hasPrefix && !isInLine[stream]) size = head(out, size, { bytes, start });
      size += bytes.copy(out, size, from, to);
      isInLine[stream] = bytes[to - 1] !== LF;
      if (!tty) writeHead(out, frame, { stream, size: size - frame - HEAD_BYTES });
    }
    return out.subarray(0, size);
  };
}

function writeHead(out: Buffer, at: number, o: { readonly stream: number; readonly size: number }): void {
  out.writeUInt32BE(o.stream * 2 ** 24, at);
  out.writeUInt32BE(o.size, at + 4);
}

/** RFC 3339 with nine digits of fraction, as Docker prints it. @returns where it ends */
function writeTime(
  out: Buffer,
  at: number,
  { bytes, start }: { readonly bytes: Buffer; readonly start: number },
): number {
  const zone = start + TIME_BYTES - 2;
  const isPlain = bytes.compare(UTC, 0, UTC.length, zone, zone + UTC.length) === 0;
  if (!isPlain) return at + out.write(converted(bytes.toString('latin1', start, bytes.indexOf(SPACE, start))), at);
  bytes.copy(out, at, start, zone);
  return at + TIME_BYTES - 2 + out.write('Z ', at + TIME_BYTES - 2);
}

/** A time of another zone, or with fewer digits. */
function converted(time: string): string {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  const utc = new Date(time).toISOString().slice(0, SECONDS);
  return `${utc}.${fraction.slice(0, 9).padEnd(9, '0')}Z `;
}
