/** Bytes of a content, both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const RANGE = /^bytes=(\d*)-(\d*)$/;

/**
 * The one range that a request asks for (RFC 9110, section 14). Several ranges, or what is no range, ask for the whole.
 * @returns undefined for the whole, `unsatisfiable` where the content has no such bytes
 */
export function requestedRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = RANGE.exec(header?.replaceAll(' ', '') ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') return suffix(Number(last), sizeBytes);
  const start = Number(first);
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (last !== '' && Number(last) < start) return undefined; // no range at all
  return start >= sizeBytes ? 'unsatisfiable' : { start, end };
}

function suffix(length: number, sizeBytes: number): ByteRange | 'unsatisfiable' {
  if (length === 0 || sizeBytes === 0) return 'unsatisfiable';
  return { start: Math.max(0, sizeBytes - length), end: sizeBytes - 1 };
}

const CHUNK = /^(\d+)-(\d+)$/;

/** `Content-Range` of a chunk, in the form of the specification, "Pushing a blob in chunks"; undefined where it is none. */
export function chunkRange(header: string): ByteRange | undefined {
  const match = CHUNK.exec(
    header
      .trim()
      .replace(/^bytes[ =]/, '')
      .replace(/\/(?:\d+|\*)$/, ''),
  );
  if (match === null) return undefined;
  const range = { start: Number(match[1]), end: Number(match[2]) };
  return range.end < range.start ? undefined : range;
}

/** `Range` of an answer about an upload that has so many bytes. */
export function progressRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}
