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

export interface ParsedLog {
  readonly records: readonly LogRecord[];
  /** Bytes of whole records; what follows is yet to be completed. */
  readonly consumed: number;
}

const LF = 0x0a;
const SPACE = 0x20;

/** All whole records in a buffer; lines that are none are passed over. */
export function parseLog(buffer: Buffer): ParsedLog {
  const records: LogRecord[] = [];
  let start = 0;
  for (let end = buffer.indexOf(LF); end >= 0; end = buffer.indexOf(LF, start)) {
    const record = parseRecord(buffer.subarray(start, end + 1));
    if (record !== undefined) records.push(record);
    start = end + 1;
  }
  return { records, consumed: start };
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
