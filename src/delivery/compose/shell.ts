/** Characters that only a shell gives a meaning to. */
const OPERATORS = ';&|<>()';

/**
 * Splits a command line into words, without expanding anything: blanks separate, `'…'` is literal, `"…"`
 * keeps blanks, a backslash takes the next character as it is (in `"…"` too), `$(…)` stays together.
 * A string instead of words says what is wrong: an open quote, or an operator that needs a shell.
 */
export function splitWords(line: string): readonly string[] | string {
  const words: string[] = [];
  let word: string | undefined;
  let index = 0;
  while (index < line.length) {
    if (/\s/.test(line[index] as string)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      index += 1;
      continue;
    }
    const piece = readPiece(line, index);
    if (typeof piece === 'string') return piece;
    word = (word ?? '') + piece.text;
    index = piece.end;
  }
  return word === undefined ? words : [...words, word];
}

interface Piece {
  readonly text: string;
  readonly end: number;
}

function readPiece(line: string, start: number): Piece | string {
  const char = line[start] as string;
  if (char === "'") {
    const end = line.indexOf("'", start + 1);
    return end < 0 ? "a ' is never closed" : { text: line.slice(start + 1, end), end: end + 1 };
  }
  if (char === '"') return readDoubleQuoted(line, start + 1);
  if (line.startsWith('$(', start)) {
    const end = line.indexOf(')', start);
    return end < 0 ? '"$(" is never closed' : { text: line.slice(start, end + 1), end: end + 1 };
  }
  if (OPERATORS.includes(char)) return `"${char}" needs a shell`;
  if (char !== '\\') return { text: char, end: start + 1 };
  return start + 1 < line.length ? { text: line[start + 1] ?? '', end: start + 2 } : 'it ends with a backslash';
}

function readDoubleQuoted(line: string, start: number): Piece | string {
  let text = '';
  for (let index = start; index < line.length; index++) {
    if (line[index] === '"') return { text, end: index + 1 };
    if (line[index] === '\\') index += 1;
    text += line[index] ?? '';
  }
  return 'a " is never closed';
}
