import { splitWords } from './words.ts';

/** `<<NAME` in an instruction (Dockerfile reference: Here-Documents). */
export interface HeredocStart {
  readonly name: string;
  /** Whether variables are expanded in it: no part of its name was quoted. */
  readonly expands: boolean;
  /** `<<-`: leading tabs are taken off. */
  readonly stripsTabs: boolean;
}

const START = /^\d*<<(-?)([^<]*)$/;
const PLAIN_NAME = /^['"]?-?[\p{L}_$][\p{L}\p{Nd}_.$-]*['"]?$/u;

/** All in a text, in order; `<<` may stand apart from its name. */
export function heredocStarts(text: string): readonly (HeredocStart & { readonly offset: number })[] {
  const words = splitWords(text, '\\');
  return words.flatMap(({ text: word, offset }, index) => {
    const next = words[index + 1]?.text ?? '';
    const isApart = /^\d*<<-?$/.test(word) && PLAIN_NAME.test(next);
    const start = heredocStart(isApart ? word + next : word);
    return start === undefined ? [] : [{ ...start, offset }];
  });
}

/** What one word starts; undefined for other words. */
export function heredocStart(word: string): HeredocStart | undefined {
  const [, dash, written = ''] = START.exec(word) ?? [];
  const name = unquoted(written);
  if (dash === undefined || name === undefined || name.text === '' || /\s/.test(name.bare)) return undefined;
  return { name: name.text, expands: !name.isQuoted, stripsTabs: dash === '-' };
}

/** Undefined for a quote that is not closed; `bare` are the characters outside of quotes. */
function unquoted(
  written: string,
): { readonly text: string; readonly bare: string; readonly isQuoted: boolean } | undefined {
  let [text, bare, quote, isQuoted] = ['', '', '', false];
  for (let at = 0; at < written.length; at++) {
    const character = written[at]!;
    if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) [quote, isQuoted] = [character, true];
    else {
      const isEscape = character === '\\' && quote !== "'";
      const kept = isEscape ? (written[++at] ?? '') : character;
      text += kept;
      if (quote === '' && !isEscape) bare += kept;
    }
  }
  return quote === '' ? { text, bare, isQuoted } : undefined;
}
