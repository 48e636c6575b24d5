import { invalidParameter } from './http-errors.ts';

const FALSE_WORDS = new Set(['', '0', 'no', 'false', 'none']);

/** Docker's truth of a query parameter: everything but ``, `0`, `no`, `false`, `none` (any case). */
export function flagOf(query: URLSearchParams, name: string, absent = false): boolean {
  const value = query.get(name);
  return value === null ? absent : !FALSE_WORDS.has(value.trim().toLowerCase());
}

/** @throws UserError `invalid-parameter` where it is there and no whole number */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d+$/.test(value)) throw invalidParameter(`${name} is not a number: "${value}"`);
  return Number(value);
}

/** A text parameter that is there and not empty. */
export function textOf(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === '' ? undefined : value;
}

/**
 * A moment as clients send it: seconds since the epoch with an optional fraction, or RFC 3339.
 * 0 and absent are undefined.
 * @throws UserError `invalid-parameter`
 */
export function momentOf(query: URLSearchParams, name: string): Date | undefined {
  const value = query.get(name);
  if (value === null || value === '' || value === '0') return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value);
  if (Number.isNaN(ms)) throw invalidParameter(`${name} is not a time: "${value}"`);
  return new Date(ms);
}

/** A parameter that holds JSON, e.g. `buildargs`. @throws UserError `invalid-parameter` */
export function jsonOf(query: URLSearchParams, name: string): unknown {
  const value = textOf(query, name);
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    throw invalidParameter(`${name} is not valid JSON: "${value}"`);
  }
}
