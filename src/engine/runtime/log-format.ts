/**
 * conmon's log format `k8s-file`: `TIME STREAM TAG DATA\n`, where tag `F` says that the data ended with a line feed,
 * and `P` that it did not: with both, the exact bytes come back.
 */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  readonly at: Date;
  /** With its line feed where it had one. */
  readonly data: Buffer;
  /** The record ends a line. */
  readonly full: boolean;
}

/** Whole records without an object for each: a log of 100 MB has a million of them. */
export interface LogBatch {
  readonly bytes: Buffer;
  /**
   * `SPAN` numbers a record: 1 for stdout or 2 for stderr, where its time begins (a blank ends it), and where its data
   * begins and ends, with the line feed where it had one.
   */
  readonly spans: readonly number[];
}

/** Numbers a record in `LogBatch.spans`. */
export const SPAN = 4;
/** The `1` and `2` of `LogBatch.spans`, which are those of Docker's frames, too. */
const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

const LF = 0x0a;
const SPACE = 0x20;
const FULL = 0x46;
/** `stdout` and `stderr` differ in their fourth letter. */
const STREAM_BYTES = 6;
const [LETTER_S, LETTER_O, LETTER_E] = [0x73, 0x6f, 0x65];
/** `2026-11-21T08:49:01`: no time is shorter. */
const LEAST_TIME_BYTES = 19;
const LETTER_T = 0x54;

/** All whole records in a buffer; lines that are none are passed over. `consumed`: what follows is yet to be completed. */
export function scanLog(bytes: Buffer): LogBatch & { readonly consumed: number } {
  const spans: number[] = [];
  let start = 0;
  for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
    const first = blankFrom(bytes, start, end);
    const second = blankFrom(bytes, first + 1, end);
    const third = blankFrom(bytes, second + 1, end);
    const stream = third < end && isTime(bytes, start, first) ? streamAt(bytes, first + 1, second) : 0;
    const isFull = third - second === 2 && bytes[second + 1] === FULL;
    if (stream > 0) spans.push(stream, start, third + 1, isFull ? end + 1 : end);
    start = end + 1;
  }
  return { bytes, spans, consumed: start };
}

/** Of a record by the index of its first number. */
export function timeIn({ bytes, spans }: LogBatch, at: number): Date {
  const start = spans[at + 1]!;
  return new Date(bytes.toString('latin1', start, bytes.indexOf(SPACE, start)));
}

export function streamIn({ spans }: LogBatch, at: number): 'stdout' | 'stderr' {
  return STREAMS[spans[at]!] as 'stdout' | 'stderr';
}

function blankFrom(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}

function isTime(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= LEAST_TIME_BYTES && bytes[start + 10] === LETTER_T;
}

/** 0 where it is neither. */
function streamAt(bytes: Buffer, start: number, end: number): number {
  if (end - start !== STREAM_BYTES || bytes[start] !== LETTER_S) return 0;
  const letter = bytes[start + 3];
  return letter === LETTER_O ? 1 : letter === LETTER_E ? 2 : 0;
}

/** One line of the file, its line feed included. */
export function parseRecord(line: Buffer): LogRecord | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  const third = line.indexOf(SPACE, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const stream = line.toString('latin1', first + 1, second);
  const tag = line.toString('latin1', second + 1, third);
  const at = new Date(line.toString('latin1', 0, first));
  if ((stream !== 'stdout' && stream !== 'stderr') || Number.isNaN(at.getTime())) return undefined;
  const full = tag === 'F';
  return { stream, at, full, data: line.subarray(third + 1, full ? line.length : line.length - 1) };
}
