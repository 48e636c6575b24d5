import { parseDurationMs } from '../../lib/duration.ts';
import type { Filters } from './filters.ts';
import { invalidParameter } from './http-errors.ts';

/** Docker's match of names in filters: a regular expression found anywhere, or the very text. */
export function matchesPattern(name: string, pattern: string): boolean {
  if (name === pattern) return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

/** Go's `path.Match` for image references: `*` and `?` stop at a slash. */
export function matchesGlob(text: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  try {
    return new RegExp(`^${source}$`).test(text);
  } catch {
    return false;
  }
}

/** The `until` filter: RFC 3339, seconds since the epoch, or a duration back from now. @throws UserError `invalid-parameter` */
export function untilOf(filters: Filters, now: Date): Date | undefined {
  const [text] = filters.get('until');
  if (text === undefined) return undefined;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return new Date(now.getTime() - durationMs);
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
  if (Number.isNaN(ms))
    throw invalidParameter(
      `failed to parse value as time or duration: "${text}"`,
      'Write it as 24h or 2026-01-02T15:04:05Z.',
    );
  return new Date(ms);
}
