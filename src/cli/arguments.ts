import { InvalidArgumentError } from 'commander';

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
