import type { UserError } from '../../lib/errors.ts';
import { invalidParameter } from './http-errors.ts';

/** The `filters` parameter of list endpoints: values of one name are alternatives, names must all match. */
export interface Filters {
  has(name: string): boolean;
  get(name: string): readonly string[];
  /** The name is absent, or one of its values equals `value`. */
  isAny(name: string, value: string): boolean;
  /** The name is absent, or `matches` holds for one of its values. */
  some(name: string, matches: (value: string) => boolean): boolean;
  /** Every `label` value (`key` or `key=value`) is among the labels, and no `label!` value is. */
  matchLabels(labels: Readonly<Record<string, string>>): boolean;
  /** A filter that is true or false; undefined where absent. @throws UserError `invalid-parameter` */
  flag(name: string): boolean | undefined;
}

/**
 * Parses `{"label":["a=b"]}` or the older `{"label":{"a=b":true}}`.
 * @throws UserError `invalid-parameter` for broken JSON and for a name that the endpoint does not know
 */
export function parseFilters(text: string | null | undefined, known: readonly string[]): Filters {
  const values = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(parseObject(text))) {
    if (!known.includes(name)) throw invalidParameter(`invalid filter '${name}'`, `Known: ${known.join(', ')}.`);
    values.set(name, valuesOf(value));
  }
  const get = (name: string): readonly string[] => values.get(name) ?? [];
  const some = (name: string, matches: (value: string) => boolean): boolean =>
    get(name).length === 0 || get(name).some(matches);
  return {
    has: (name) => get(name).length > 0,
    get,
    isAny: (name, value) => some(name, (wanted) => wanted === value),
    some,
    matchLabels: (labels) =>
      get('label').every((wanted) => hasLabel(labels, wanted)) &&
      !get('label!').some((wanted) => hasLabel(labels, wanted)),
    flag: (name) => flagOf(name, get(name)[0]),
  };
}

function parseObject(text: string | null | undefined): Record<string, unknown> {
  if (text === undefined || text === null || text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidFilter();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidFilter();
  return value as Record<string, unknown>;
}

function invalidFilter(): UserError {
  return invalidParameter('invalid filter', 'Send filters as a JSON object of lists.');
}

function valuesOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === 'object' && value !== null) return Object.keys(value);
  throw invalidFilter();
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

function flagOf(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (['1', 'true', 'True', 'TRUE', 't'].includes(value)) return true;
  if (['0', 'false', 'False', 'FALSE', 'f'].includes(value)) return false;
  throw invalidParameter(`invalid filter '${name}=[${value}]'`, 'Give true or false.');
}
