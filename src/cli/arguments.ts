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

/** `SERVICE=REFERENCE`, several times, each service once. */
export function collectImage(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const [service, reference] = splitOnce(text, 'SERVICE=IMAGE, such as web=shop:2', previous);
  return { ...previous, [service]: reference };
}

/** `SERVICE=N`, several times, each service once. */
export function collectReplicas(
  text: string,
  previous: Readonly<Record<string, number>> | undefined,
): Readonly<Record<string, number>> {
  const [service, count] = splitOnce(text, 'SERVICE=N, such as web=3', previous);
  if (!/^\d{1,6}$/.test(count)) throw new InvalidArgumentError('N must be a whole number from 0, such as web=3.');
  return { ...previous, [service]: Number(count) };
}

function splitOnce(text: string, form: string, previous: object | undefined): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1 || equals === text.length - 1) throw new InvalidArgumentError(`It must be ${form}.`);
  const name = text.slice(0, equals);
  if (Object.hasOwn(previous ?? {}, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return [name, text.slice(equals + 1)];
}

/** A share of the traffic in percent (`25`, `25%`, `0.5%`), as basis points. */
export function parseWeight(text: string): number {
  const [, figures] = /^(\d{1,3}(?:\.\d{1,2})?) ?%?$/.exec(text) ?? [];
  const points = Math.round(Number(figures) * 100);
  if (figures === undefined || points > 10_000)
    throw new InvalidArgumentError('It must be a percentage from 0 to 100, such as 25% or 0.5%.');
  return points;
}
