import type { UserError } from '../../lib/errors.ts';
import { nearestWord } from '../../lib/nearest.ts';
import { formatBytes, formatGoDuration, parseBytes, parseComposeDuration } from './units.ts';
import { joinPath, kindOf, type MapNode, type Node, nodeError, type ScalarNode, textOf } from './node.ts';

/**
 * How a value of the Compose file is read: checked and brought into the canonical form in one go.
 * `undefined` means "as if it were not there".
 */
export interface Kind<T = unknown> {
  /** For messages: `a string`, `a list`. */
  readonly expects: string;
  /** Throws `compose-invalid`. */
  read(node: Node, path: string, env: ReadEnvironment): T | undefined;
}

/** What reading depends on besides the file. */
export interface ReadEnvironment {
  /** For `~` in paths. */
  readonly home: string | undefined;
}

export function expected(node: Node, path: string, expects: string): UserError {
  const seen = node.kind === 'scalar' && node.type !== 'null' ? `${kindOf(node)} (${textOf(node)})` : kindOf(node);
  return nodeError(node, path, `must be ${expects}, not ${seen}`, `Write ${expects} here.`);
}

export function invalid(node: Node, path: string, message: string, fix: string): UserError {
  return nodeError(node, path, message, fix);
}

function scalarKind<T>(expects: string, parse: (node: ScalarNode) => T | undefined): Kind<T> {
  return {
    expects,
    read(node, path) {
      const value = node.kind === 'scalar' ? parse(node) : undefined;
      if (value === undefined) throw expected(node, path, expects);
      return value;
    },
  };
}

export const string = scalarKind('a string', (node) => (node.type === 'string' ? node.value : undefined));

/** A string, or a number or boolean taken as one. */
export const text = scalarKind('a string or a number', (node) => (node.type === 'null' ? undefined : textOf(node)));

const TRUE_WORDS = new Set(['true', 'yes', 'y', 'on']);
const FALSE_WORDS = new Set(['false', 'no', 'n', 'off']);

export const bool = scalarKind('true or false', (node) => {
  if (node.type === 'bool') return node.value;
  if (node.type !== 'string') return undefined;
  const word = node.value.toLowerCase();
  return TRUE_WORDS.has(word) ? true : FALSE_WORDS.has(word) ? false : undefined;
});

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

export function integer({ min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: Range = {}): Kind<number> {
  const bounds =
    min > Number.MIN_SAFE_INTEGER
      ? max < Number.MAX_SAFE_INTEGER
        ? ` from ${min} to ${max}`
        : ` of at least ${min}`
      : '';
  return scalarKind(`a whole number${bounds}`, (node) => {
    const value = numberOf(node, /^[-+]?\d+$/);
    return value !== undefined && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  });
}

export function float({ min = -Infinity, max = Infinity }: Range = {}): Kind<number> {
  const bounds = min > -Infinity ? (max < Infinity ? ` from ${min} to ${max}` : ` of at least ${min}`) : '';
  return scalarKind(`a number${bounds}`, (node) => {
    const value = numberOf(node, /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  });
}

function numberOf(node: ScalarNode, pattern: RegExp): number | undefined {
  if (node.type === 'int' || node.type === 'float') return node.value;
  return node.type === 'string' && pattern.test(node.value.trim()) ? Number(node.value) : undefined;
}

/** Bytes as a decimal string: `64M`, `1.5g`, `1024`. */
export const bytes = scalarKind('a size such as 512m or 1.5g', (node) => {
  const value = bytesOf(node);
  return value === undefined || value < 0 ? undefined : formatBytes(value);
});

/** Like `bytes`, and -1 for "no limit". */
export const bytesOrUnlimited = scalarKind('a size such as 512m, or -1', (node) => {
  const value = bytesOf(node);
  return value === undefined || value < -1 ? undefined : formatBytes(value);
});

function bytesOf(node: ScalarNode): number | undefined {
  if (node.type === 'int' || node.type === 'float') return node.value;
  return node.type === 'string' ? parseBytes(node.value) : undefined;
}

/** A duration in Go's own spelling: `90s` is `1m30s`. */
export const duration = scalarKind('a duration such as 30s or 1m30s', (node) => {
  const ms = node.type === 'string' ? parseComposeDuration(node.value) : undefined;
  return ms === undefined ? undefined : formatGoDuration(ms);
});

export function oneOf(...words: readonly string[]): Kind<string> {
  const expects = `one of ${words.join(', ')}`;
  return {
    expects,
    read(node, path) {
      if (node.kind === 'scalar' && node.type === 'string' && words.includes(node.value)) return node.value;
      const near = node.kind === 'scalar' ? nearestWord(textOf(node), words) : undefined;
      if (near === undefined) throw expected(node, path, expects);
      throw invalid(node, path, `must be ${expects}, not ${textOf(node as ScalarNode)}`, `Did you mean "${near}"?`);
    },
  };
}

export function matching(expects: string, pattern: RegExp): Kind<string> {
  return scalarKind(expects, (node) => (node.type === 'string' && pattern.test(node.value) ? node.value : undefined));
}

export interface ListOptions<T> {
  /** Entries with the same key replace each other; the place of the first is kept. */
  readonly key?: (item: T) => string;
}

export function list<T>(item: Kind<T>, { key }: ListOptions<T> = {}): Kind<readonly T[]> {
  return {
    expects: 'a list',
    read(node, path, env) {
      if (node.kind !== 'list') throw expected(node, path, 'a list');
      const values = node.items.map((one, index) => item.read(one, joinPath(path, index), env));
      const present = values.filter((value) => value !== undefined);
      return key === undefined ? present : uniqueBy(present, key);
    },
  };
}

export function uniqueBy<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}

/** Strings of which each counts once. */
export const words = list(string, { key: (word) => word });

/** One string, or a list of them. */
export const wordOrWords: Kind<readonly string[]> = {
  expects: 'a string or a list',
  read: (node, path, env) =>
    node.kind === 'scalar' ? [string.read(node, path, env) ?? ''] : words.read(node, path, env),
};

/** A mapping with keys of the user's choice; an empty one is as good as none. */
export function mapping<T>(value: Kind<T>, keys = /^[a-zA-Z0-9._-]+$/): Kind<Readonly<Record<string, T>>> {
  return {
    expects: 'a mapping',
    read(node, path, env) {
      if (node.kind !== 'map') throw expected(node, path, 'a mapping');
      const result: [string, T][] = [];
      for (const [key, entry] of node.entries) {
        const below = joinPath(path, key);
        if (!keys.test(key)) {
          throw nodeError(
            { at: entry.keyAt },
            below,
            `invalid name "${key}"`,
            'Use letters, digits, ".", "_" and "-".',
          );
        }
        const read = value.read(entry.value, below, env);
        if (read !== undefined) result.push([key, read]);
      }
      return orNothing(recordOf(result));
    },
  };
}

/** Compose prints no empty mappings. */
export function orNothing<T extends object>(record: T): T | undefined {
  return Object.keys(record).length === 0 ? undefined : record;
}

/** An object that holds any key, `__proto__` included, as its own. */
export function recordOf<T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> {
  return Object.fromEntries(entries);
}

/** Reads null as null. */
export function nullable<T>(kind: Kind<T>): Kind<T | null> {
  return {
    expects: `${kind.expects}, or nothing`,
    read: (node, path, env) => (node.kind === 'scalar' && node.type === 'null' ? null : kind.read(node, path, env)),
  };
}

/** Takes null for an empty mapping. */
export function emptyAllowed<T>(kind: Kind<T>): Kind<T> {
  return {
    expects: kind.expects,
    read: (node, path, env) =>
      kind.read(node.kind === 'scalar' && node.type === 'null' ? emptyMap(node) : node, path, env),
  };
}

function emptyMap(node: Node): MapNode {
  return { kind: 'map', at: node.at, entries: new Map() };
}
