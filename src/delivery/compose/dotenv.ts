import { composeError } from './errors.ts';
import type { Position, Source } from './position.ts';
import { baseName, parentOf } from './paths.ts';
import { fillTemplate, type Lookup } from './template.ts';

export interface DotenvOptions {
  /** For messages. */
  readonly path?: string;
  /** Beats the file's own earlier lines when values are filled in; also gives names without a value theirs. */
  readonly lookup?: Lookup;
  /** `raw`: everything after the `=` is the value as it stands. */
  readonly format?: string | undefined;
}

/**
 * Parses a `.env` file as Compose does: `NAME=value`, `export NAME=value`, `NAME: value`, a bare `NAME` that is taken
 * from the environment, `#` comments after a blank, `'literal'` and `"escaped $expanded"` values over several lines.
 * Throws `compose-invalid` with the line.
 */
export function parseDotenv(text: string, options: DotenvOptions = {}): Record<string, string> {
  const parser = new DotenvParser(text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'), options);
  return parser.parse();
}

const NAME_CHARACTER = /[\p{L}\p{N}_.\-[\]]/u;
const BLANK = /[\t\v\f\r \u0085\u00A0]/;

class DotenvParser {
  readonly #text: string;
  readonly #options: DotenvOptions;
  readonly #values = new Map<string, string>();
  #index = 0;

  constructor(text: string, options: DotenvOptions) {
    this.#text = text;
    this.#options = options;
  }

  parse(): Record<string, string> {
    while (this.#skipToStatement()) this.#statement();
    return Object.fromEntries(this.#values);
  }

  /** Stops at the next character that begins a statement; false at the end. */
  #skipToStatement(): boolean {
    for (; this.#index < this.#text.length; this.#index++) {
      const char = this.#text[this.#index] as string;
      if (char === '#') this.#index = this.#endOfLine() - 1;
      else if (!/\s/.test(char)) return true;
    }
    return false;
  }

  #statement(): void {
    const start = this.#index;
    const prefix = /^export[^\S\n]+/.exec(this.#text.slice(start, start + 64));
    this.#index += prefix?.[0].length ?? 0;
    const { name, bare } = this.#name(start);
    if (bare) {
      const inherited = this.#options.lookup?.(name);
      if (inherited !== undefined) this.#values.set(name, inherited);
      return;
    }
    this.#values.set(name, this.#value());
  }

  #name(start: number): { readonly name: string; readonly bare: boolean } {
    const from = this.#index;
    let end = from;
    while (
      end < this.#text.length &&
      (NAME_CHARACTER.test(this.#text[end] as string) || BLANK.test(this.#text[end] as string))
    )
      end++;
    const stop = this.#text[end];
    const name = this.#text.slice(from, end).trim();
    if (/\s/.test(name)) throw this.#error(start, `the name "${name}" holds a blank`);
    if (name === '') throw this.#error(start, 'a name is missing');
    if (stop !== undefined && !'=:\n'.includes(stop)) throw this.#error(end, `unexpected "${stop}" in a name`);
    this.#index = Math.min(end + 1, this.#text.length);
    return { name, bare: stop === undefined || stop === '\n' };
  }

  #value(): string {
    const end = this.#endOfLine();
    if (this.#options.format === 'raw') {
      const raw = this.#text.slice(this.#index, end);
      this.#index = end;
      return raw;
    }
    while (BLANK.test(this.#text[this.#index] ?? 'x')) this.#index++;
    const quote = this.#text[this.#index];
    if (quote === "'" || quote === '"') return this.#quoted(quote);
    const start = this.#index;
    this.#index = end;
    const plain = this.#text
      .slice(start, end)
      .replace(/\s#.*$/, '')
      .trimEnd();
    return this.#fill(plain, start);
  }

  #quoted(quote: string): string {
    const start = this.#index + 1;
    let end = start;
    while (end < this.#text.length && this.#text[end] !== quote) end += this.#text[end] === '\\' ? 2 : 1;
    if (end >= this.#text.length) throw this.#error(start - 1, `a ${quote} is never closed`);
    this.#index = end + 1;
    this.#rejectTrailing();
    const inner = this.#text.slice(start, end);
    return quote === "'" ? inner.replaceAll("\\'", "'") : this.#fill(unescape(inner), start);
  }

  /** After a closing quote only a comment may follow. */
  #rejectTrailing(): void {
    const end = this.#endOfLine();
    const rest = this.#text.slice(this.#index, end).trim();
    if (rest !== '' && !rest.startsWith('#'))
      throw this.#error(this.#index, `unexpected text after a closing quote: ${rest}`);
    this.#index = end;
  }

  #fill(value: string, offset: number): string {
    const lookup: Lookup = (name) => this.#options.lookup?.(name) ?? this.#values.get(name);
    const filled = fillTemplate(value, lookup);
    if (typeof filled === 'object') throw this.#error(offset, filled.problem, filled.fix);
    return filled;
  }

  #endOfLine(): number {
    const end = this.#text.indexOf('\n', this.#index);
    return end < 0 ? this.#text.length : end;
  }

  #error(
    offset: number,
    message: string,
    fix = 'Write NAME=value, one a line; put quotes around values with blanks or "#".',
  ) {
    return composeError({ at: this.#position(offset), message, fix });
  }

  #position(offset: number): Position {
    const before = this.#text.slice(0, offset);
    const line = before.split('\n').length;
    const path = this.#options.path ?? '.env';
    const source: Source = { path, label: baseName(path), directory: parentOf(path) };
    return { source, line, column: offset - before.lastIndexOf('\n') };
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f', b: '\b', a: '\x07' };

/** `\n` and the like; `\$` stays a dollar sign that is not filled in. */
function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (whole, char: string) => {
    if (char === '$') return '$$';
    return ESCAPES[char] ?? (char === '"' || char === '\\' || char === "'" ? char : whole);
  });
}
