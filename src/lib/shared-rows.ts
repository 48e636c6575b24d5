/**
 * A list as bytes that threads share instead of copying: cells of some rows, each row some fields, a zero byte after each.
 * Fields are byte strings.
 */
export interface SharedRows {
  readonly bytes: Uint8Array;
  /** Where each cell begins, and where the last one ends. */
  readonly cells: readonly number[];
}

/** Makes the list that threads share. Fields have no zero byte in them. */
export function sharedRows(rows: readonly (readonly (string | number)[])[], rowsPerCell: number): SharedRows {
  const texts: Buffer[] = [];
  for (let at = 0; at < rows.length; at += rowsPerCell) {
    const cell = rows.slice(at, at + rowsPerCell).flatMap((row) => row.map((field) => `${field}\0`));
    texts.push(Buffer.from(cell.join(''), 'latin1'));
  }
  const cells = [0];
  for (const text of texts) cells.push(cells.at(-1)! + text.length);
  return { bytes: sharedBytes(texts), cells };
}

/** All of them after each other, in memory that threads share. */
export function sharedBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(pieces.reduce((sum, { length }) => sum + length, 0)));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
