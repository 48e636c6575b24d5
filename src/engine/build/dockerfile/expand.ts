/** What a variable is; undefined where it is not set. */
export type Lookup = (name: string) => string | undefined;

/** The text cannot be expanded: an unmatched quote, a bad substitution, a variable that must be set. */
export class ExpansionError extends Error {
  override readonly name = 'ExpansionError';
  /** What to do. */
  readonly fix: string;

  constructor(
    message: string,
    fix = 'Close quotes and braces; a literal "$" or quote is written after the escape character.',
  ) {
    super(message);
    this.fix = fix;
  }
}

const MODIFIERS = 'The modifiers are :- - :+ + :? ? # ## % %% / and //.';

/**
 * Expands variables and takes off quotes (Dockerfile reference: Environment replacement):
 * `$v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}`.
 * @throws ExpansionError
 */
export function expandWord(text: string, lookup: Lookup, escape = '\\'): string {
  return createExpansion(text, lookup, escape).text;
}

/** Like `expandWord`, then split at white space that is not quoted; that of variables' values splits too. */
export function expandWords(text: string, lookup: Lookup, escape = '\\'): readonly string[] {
  return createExpansion(text, lookup, escape).words;
}

/** Variables and backslashes only: quotes stay as they are (here-documents). */
export function expandVariables(text: string, lookup: Lookup): string {
  return new Expander({ text, lookup, escape: '\\', keepsQuotes: true }).readUntil(undefined, false).text;
}

function createExpansion(text: string, lookup: Lookup, escape: string): Expansion {
  return new Expander({ text, lookup, escape, keepsQuotes: false }).readUntil(undefined, false);
}

interface Expansion {
  readonly text: string;
  readonly words: readonly string[];
}

interface ExpanderOptions {
  readonly text: string;
  readonly lookup: Lookup;
  readonly escape: string;
  readonly keepsQuotes: boolean;
}

const SPACE = /\s/u;
const DIGIT = /\p{Nd}/u;
const NAME_PART = /[\p{L}\p{Nd}_]/u;
const SPECIAL = '@*#?-$!0';

class Expander {
  private readonly characters: readonly string[];
  private readonly options: ExpanderOptions;
  private at = 0;

  constructor(options: ExpanderOptions) {
    this.options = options;
    this.characters = [...options.text];
  }

  /** Reads up to `stop`, which is consumed, or to the end. */
  readUntil(stop: string | undefined, keepsEscapes: boolean): Expansion {
    const words = new WordList();
    let text = '';
    for (;;) {
      const character = this.characters[this.at];
      if (character === undefined) {
        if (stop === undefined) return { text, words: words.end() };
        throw new ExpansionError(`"${stop}" is missing`);
      }
      if (character === stop) {
        this.at++;
        return { text, words: words.end() };
      }
      const piece = this.readPiece(character, keepsEscapes);
      text += piece.text;
      if (piece.splits) words.addSplit(piece.text);
      else words.addWhole(piece.text);
    }
  }

  private readPiece(character: string, keepsEscapes: boolean): { text: string; splits: boolean } {
    if (character === '$') return { text: this.readDollar(), splits: true };
    if (!this.options.keepsQuotes && character === "'") return { text: this.readSingleQuoted(), splits: false };
    if (!this.options.keepsQuotes && character === '"') return { text: this.readDoubleQuoted(), splits: false };
    this.at++;
    if (character !== this.options.escape) return { text: character, splits: true };
    const next = this.characters[this.at];
    if (next === undefined) return { text: keepsEscapes ? character : '', splits: true };
    this.at++;
    return { text: keepsEscapes ? character + next : next, splits: false };
  }

  private readSingleQuoted(): string {
    const end = this.characters.indexOf("'", this.at + 1);
    if (end < 0) throw new ExpansionError('the closing single quote is missing');
    const text = this.characters.slice(this.at + 1, end).join('');
    this.at = end + 1;
    return text;
  }

  private readDoubleQuoted(): string {
    const { escape } = this.options;
    let text = '';
    this.at++;
    for (;;) {
      const character = this.characters[this.at];
      if (character === undefined) throw new ExpansionError('the closing double quote is missing');
      if (character === '$') {
        text += this.readDollar();
        continue;
      }
      this.at++;
      if (character === '"') return text;
      const next = this.characters[this.at];
      const isEscape = character === escape && (next === '"' || next === '$' || next === escape);
      if (isEscape) this.at++;
      if (character === escape && next === undefined) continue;
      text += isEscape ? next : character;
    }
  }

  private readDollar(): string {
    this.at++;
    if (this.characters[this.at] !== '{') {
      const name = this.readName();
      return name === '' ? '$' : (this.options.lookup(name) ?? '');
    }
    this.at++;
    return this.readBraces();
  }

  private readBraces(): string {
    const first = this.characters[this.at];
    if (first === undefined) throw new ExpansionError('"}" is missing');
    if ('{}:'.includes(first)) throw new ExpansionError('bad substitution');
    const name = this.readName();
    let modifier = this.take();
    if (modifier === '}') return this.options.lookup(name) ?? '';
    const emptyIsUnset = modifier === ':';
    if (emptyIsUnset) modifier = this.take();
    if (modifier === '/' && !emptyIsUnset) return this.readReplacement(name);
    if (!'+-?#%'.includes(modifier))
      throw new ExpansionError(`the modifier "${modifier}" of \${${name}} is not known`, MODIFIERS);
    const word = this.readUntil('}', modifier === '#' || modifier === '%').text;
    return modified({ name, value: this.options.lookup(name), modifier, emptyIsUnset, word });
  }

  private readReplacement(name: string): string {
    const isGlobal = this.characters[this.at] === '/';
    if (isGlobal) this.at++;
    const pattern = this.readUntil('/', true).text;
    const replacement = this.readUntil('}', true).text;
    const expression = new RegExp(patternTokens(pattern, true).join(''), isGlobal ? 'gsu' : 'su');
    return (this.options.lookup(name) ?? '').replace(expression, () => replacement);
  }

  private readName(): string {
    const from = this.at;
    const first = this.characters[from] ?? '';
    if (DIGIT.test(first)) while (DIGIT.test(this.characters[this.at] ?? '')) this.at++;
    else if (first !== '' && SPECIAL.includes(first)) this.at++;
    else while (NAME_PART.test(this.characters[this.at] ?? '')) this.at++;
    return this.characters.slice(from, this.at).join('');
  }

  private take(): string {
    const character = this.characters[this.at++];
    if (character === undefined) throw new ExpansionError('"}" is missing');
    return character;
  }
}

class WordList {
  private readonly words: string[] = [];
  private word: string | undefined;

  addSplit(text: string): void {
    for (const character of text) {
      if (!SPACE.test(character)) this.word = (this.word ?? '') + character;
      else if (this.word !== undefined && this.word !== '') {
        this.words.push(this.word);
        this.word = undefined;
      }
    }
  }

  addWhole(text: string): void {
    this.word = (this.word ?? '') + text;
  }

  end(): readonly string[] {
    if (this.word !== undefined && this.word !== '') this.words.push(this.word);
    this.word = undefined;
    return this.words;
  }
}

interface Modification {
  readonly name: string;
  readonly value: string | undefined;
  readonly modifier: string;
  readonly emptyIsUnset: boolean;
  readonly word: string;
}

function modified({ name, value, modifier, emptyIsUnset, word }: Modification): string {
  const isUnset = value === undefined || (emptyIsUnset && value === '');
  switch (modifier) {
    case '-':
      return isUnset ? word : value;
    case '+':
      return isUnset ? '' : word;
    case '?':
      if (!isUnset) return value;
      throw new ExpansionError(
        `${name}: ${word || `must be set${emptyIsUnset ? ' and not empty' : ''}`}`,
        `Give it a value: --build-arg ${name}=VALUE, or ARG or ENV above.`,
      );
    case '#':
      return trimmed(value ?? '', word, 'start');
    default:
      return trimmed(value ?? '', word, 'end');
  }
}

function trimmed(value: string, word: string, side: 'start' | 'end'): string {
  const isGreedy = word.startsWith(side === 'start' ? '#' : '%');
  const tokens = patternTokens(isGreedy ? word.slice(1) : word, isGreedy);
  if (side === 'start') return value.replace(new RegExp(`^(?:${tokens.join('')})`, 'su'), '');
  const backwards = new RegExp(`^(?:${tokens.toReversed().join('')})`, 'su');
  return [...[...value].toReversed().join('').replace(backwards, '')].toReversed().join('');
}

/** A shell pattern (`*`, `?`, backslash escapes) as regular expressions of its characters. */
function patternTokens(pattern: string, isGreedy: boolean): readonly string[] {
  const characters = [...pattern];
  const tokens: string[] = [];
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index]!;
    if (character === '*') tokens.push(isGreedy ? '.*' : '.*?');
    else if (character === '?') tokens.push('.');
    else if (character === '\\') {
      const next = characters[++index];
      if (next === undefined || !'*?\\}/'.includes(next)) {
        throw new ExpansionError(`invalid escape "\\${next ?? ''}" in a pattern`);
      }
      tokens.push(escapeForRegExp(next));
    } else tokens.push(escapeForRegExp(character));
  }
  return tokens;
}

function escapeForRegExp(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
