import type { OutputPiece } from '../runtime/index.ts';

/** Puts the time before each line (`docker logs -t`); a line that comes in pieces gets one. */
export function logText(): (piece: OutputPiece) => Buffer {
  const isInLine = { stdout: false, stderr: false };
  return ({ stream, at, data }) => {
    const text = isInLine[stream] ? data : Buffer.concat([Buffer.from(`${nanoTime(at)} `), data]);
    isInLine[stream] = data.at(-1) !== 0x0a;
    return text;
  };
}

/** RFC 3339 with nine digits of fraction, as Docker prints it. */
function nanoTime(at: Date): string {
  return at.toISOString().replace('Z', '000000Z');
}
