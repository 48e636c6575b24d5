/** Shorter ones stand in too many innocent words. */
const SHORTEST = 6;
const MARK = '(hidden)';

/** Replaces contents, and each of their longer lines, wherever they stand in a text. Pure. */
export function hiderOf(contents: readonly Uint8Array[]): (text: string) => string {
  const words = [...new Set(contents.flatMap(wordsOf))].toSorted((a, b) => b.length - a.length);
  return (text) => words.reduce((hidden, word) => hidden.replaceAll(word, MARK), text);
}

function wordsOf(content: Uint8Array): readonly string[] {
  const text = Buffer.from(content).toString('utf8').trim();
  return [text, ...text.split('\n').map((line) => line.trim())].filter((word) => word.length >= SHORTEST);
}
