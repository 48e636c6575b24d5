const LF = 0x0a;

/** Cuts a log at line ends, as a driver does that begins a new file with the first line after `size` bytes. */
export function splitLog(text: Buffer, size: number): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  while (start < text.length) {
    const end = text.length - start <= size ? text.length : text.indexOf(LF, start + size - 1) + 1;
    pieces.push(text.subarray(start, end === 0 ? text.length : end));
    start = end === 0 ? text.length : end;
  }
  return pieces;
}
