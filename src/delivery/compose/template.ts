/** One piece of a string with variables in it. */
type Segment = string | Variable;
interface Variable {
  readonly name: string;
  readonly operator: Operator | undefined;
  readonly word: readonly Segment[];
}
type Operator = ':-' | '-' | ':?' | '?' | ':+' | '+';

/** Why a template cannot be filled in; the caller knows the place and makes a user's error of it. */
export interface TemplateProblem {
  readonly problem: string;
  readonly fix: string;
}

export type Lookup = (name: string) => string | undefined;

/** Looks names up in an object: only its own keys count. */
export function lookupIn(values: Readonly<Record<string, string | null>>): Lookup {
  return (name) => (Object.hasOwn(values, name) ? (values[name] ?? undefined) : undefined);
}

const MAXIMUM_DEPTH = 50;
const NAME = '[A-Za-z_][A-Za-z0-9_]*';
const OPERATOR = ':?[-?+]';

/**
 * Fills in `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME-word}`, `${NAME:?message}`, `${NAME?message}`,
 * `${NAME:+word}`, `${NAME+word}` (words may nest) and `$$`. A `$` before anything else stays. A name that is not set is empty, and told to `onUnset`.
 */
export function fillTemplate(text: string, lookup: Lookup, options: TemplateOptions = {}): string | TemplateProblem {
  if (!text.includes('$')) return text;
  const parsed = new TemplateParser(text).parse(0);
  return 'problem' in parsed ? parsed : evaluate(parsed.segments, lookup, options.onUnset ?? (() => {}));
}

export interface TemplateOptions {
  readonly onUnset?: (name: string) => void;
}

interface Parsed {
  readonly segments: readonly Segment[];
}

class TemplateParser {
  readonly #text: string;
  #index = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads to the end, or, inside braces, to the `}` that closes them. */
  parse(depth: number): Parsed | TemplateProblem {
    const segments: Segment[] = [];
    while (this.#index < this.#text.length) {
      if (depth > 0 && this.#text[this.#index] === '}') return { segments };
      const segment = this.#text[this.#index] === '$' ? this.#dollar(depth) : this.#literal(depth);
      if (typeof segment === 'object' && 'problem' in segment) return segment;
      segments.push(segment);
    }
    return depth === 0 ? { segments } : this.#invalid('a "${" is never closed');
  }

  #literal(depth: number): string {
    const start = this.#index;
    const end = depth > 0 ? /[$}]/g : /\$/g;
    end.lastIndex = start;
    this.#index = end.exec(this.#text)?.index ?? this.#text.length;
    return this.#text.slice(start, this.#index);
  }

  #dollar(depth: number): Segment | TemplateProblem {
    const next = this.#text[this.#index + 1];
    if (next === '$') {
      this.#index += 2;
      return '$';
    }
    this.#index += next === '{' ? 2 : 1;
    const name = this.#match(NAME);
    if (name === undefined) return next === '{' ? this.#invalid('"${" without a name') : '$';
    return next === '{' ? this.#braced(name, depth) : { name, operator: undefined, word: [] };
  }

  #braced(name: string, depth: number): Segment | TemplateProblem {
    if (depth >= MAXIMUM_DEPTH) return this.#invalid('variables are nested too deeply');
    const operator = this.#match(OPERATOR) as Operator | undefined;
    const word = operator === undefined ? { segments: [] } : this.parse(depth + 1);
    if ('problem' in word) return word;
    if (this.#text[this.#index] !== '}') return this.#invalid(`\${${name} is not closed, or has an unknown operator`);
    this.#index += 1;
    return { name, operator, word: word.segments };
  }

  #match(source: string): string | undefined {
    const pattern = new RegExp(source, 'y');
    pattern.lastIndex = this.#index;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#index += match.length;
    return match;
  }

  #invalid(why: string): TemplateProblem {
    return {
      problem: `invalid interpolation in ${JSON.stringify(shorten(this.#text))}: ${why}`,
      fix: 'Write $$ for a plain dollar sign, or ${NAME}, ${NAME:-default}, ${NAME:?message}, ${NAME:+other}.',
    };
  }
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

function evaluate(
  segments: readonly Segment[],
  lookup: Lookup,
  onUnset: (name: string) => void,
): string | TemplateProblem {
  let result = '';
  for (const segment of segments) {
    const value = typeof segment === 'string' ? segment : valueOf(segment, lookup, onUnset);
    if (typeof value === 'object') return value;
    result += value;
  }
  return result;
}

function valueOf(variable: Variable, lookup: Lookup, onUnset: (name: string) => void): string | TemplateProblem {
  const { name, operator, word } = variable;
  const value = lookup(name);
  const present = operator?.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  switch (operator) {
    case undefined:
      if (value === undefined) onUnset(name);
      return value ?? '';
    case ':-':
    case '-':
      return present ? (value ?? '') : evaluate(word, lookup, onUnset);
    case ':+':
    case '+':
      return present ? evaluate(word, lookup, onUnset) : '';
    case ':?':
    case '?':
      return present ? (value ?? '') : missing(name, evaluate(word, lookup, onUnset));
  }
}

function missing(name: string, message: string | TemplateProblem): TemplateProblem {
  if (typeof message === 'object') return message;
  return {
    problem: `the required variable ${name} has no value${message === '' ? '' : `: ${message}`}`,
    fix: `Set ${name} in the environment or in the .env file of the project directory.`,
  };
}
