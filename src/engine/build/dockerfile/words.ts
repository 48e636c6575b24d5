/** A word as it is in the text, its quotes and escapes kept, and where it begins. */
export interface RawWord {
  readonly text: string;
  readonly offset: number;
}

const SPACE = /\s/u;

/**
 * Splits at white space outside of quotes; quotes and escapes stay in the words
 * (Dockerfile reference: ENV, LABEL and ARG).
 */
export function splitWords(text: string, escape: string): readonly RawWord[] {
  const words: RawWord[] = [];
  let at = 0;
  while (at < text.length) {
    if (SPACE.test(text[at]!)) at++;
    else {
      const word = readWord(text, at, escape);
      if (word.text !== '') words.push({ text: word.text, offset: at });
      at = word.end;
    }
  }
  return words;
}

/** Flags before the arguments (`--name=value`), their quotes and escapes taken off; `--` ends them. */
export function splitFlags(text: string): { readonly flags: readonly RawWord[]; readonly restOffset: number } {
  const flags: RawWord[] = [];
  let at = skipSpace(text, 0);
  while (text.startsWith('--', at)) {
    const word = readUnquoted(text, at);
    const next = skipSpace(text, word.end);
    if (word.text === '--') return { flags, restOffset: next };
    flags.push({ text: word.text, offset: at });
    at = next;
  }
  return { flags, restOffset: at };
}

export function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && SPACE.test(text[at]!)) at++;
  return at;
}

function readWord(text: string, from: number, escape: string): { readonly text: string; readonly end: number } {
  let word = '';
  let quote = '';
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && SPACE.test(character)) break;
    if (character === escape && quote !== "'") {
      if (at + 1 === text.length) continue; // a lone escape at the end is dropped
      word += character + text[++at]!;
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    word += character;
  }
  return { text: word, end: at };
}

function readUnquoted(text: string, from: number): { readonly text: string; readonly end: number } {
  let word = '';
  let quote = '';
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && SPACE.test(character)) break;
    if (character === '\\') word += text[++at] ?? '';
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else word += character;
  }
  return { text: word, end: Math.min(at, text.length) };
}
