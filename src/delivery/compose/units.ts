import { parseDurationMs } from '../../lib/duration.ts';

const BYTE_UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** Bytes of `512`, `64M`, `1.5gb`, `10KiB` (powers of 1024, as Docker counts), `-1`; undefined if it is no size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(-?\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const power = BYTE_UNITS.indexOf((match[2] ?? '').toLowerCase());
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

/** Compose prints sizes as decimal strings. */
export function formatBytes(bytes: number): string {
  return String(Math.trunc(bytes));
}

/** Milliseconds of a Compose duration: Go's notation, and `w` and `d` before it (`1d12h`). */
export function parseComposeDuration(text: string): number | undefined {
  const match = /^(?:(\d+(?:\.\d+)?)w)?(?:(\d+(?:\.\d+)?)d)?(.*)$/s.exec(text);
  const [, weeks, days, rest = ''] = match ?? [];
  const long = Number(weeks ?? 0) * 604_800_000 + Number(days ?? 0) * 86_400_000;
  if (rest === '' && (weeks !== undefined || days !== undefined)) return long;
  const short = parseDurationMs(rest);
  return short === undefined ? undefined : long + short;
}

/** A duration as Go prints it: `1m30s`, `1.5s`, `200ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 1) return ms < 1e-3 ? `${Math.round(ms * 1e6)}ns` : `${trim(ms * 1e3)}µs`;
  if (ms < 1_000) return `${trim(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = trim((ms % 60_000) / 1_000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

function trim(value: number): string {
  return String(Number(value.toFixed(9)));
}
