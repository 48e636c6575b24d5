import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../lib/duration.ts';

/** A whole number from 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/** `all`, or a number of lines from 0. */
export function parseTail(text: string): number | undefined {
  if (text === 'all') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('It must be a number of lines, or "all".');
  return value;
}

/** A moment: a date with or without a time (`2026-05-01T12:00:00Z`), or how long before `now` (`10m`, `1h30m`). */
export function parseMoment(text: string, now: Date): Date {
  const ago = parseDurationMs(text);
  const moment = new Date(
    ago === undefined ? (/^\d{4}-\d\d-\d\d/.test(text) ? text : Number.NaN) : now.getTime() - ago,
  );
  if (Number.isNaN(moment.getTime()))
    throw new InvalidArgumentError('It must be a time such as 2026-05-01T12:00:00Z, or how long ago, such as 10m.');
  return moment;
}

/** Options that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** `KEY=VALUE`, several times. */
export function collectAssignment(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be KEY=VALUE.');
  return { ...previous, [text.slice(0, equals)]: text.slice(equals + 1) };
}
