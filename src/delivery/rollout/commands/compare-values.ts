import type { ReleaseDiff } from '../views.ts';

type Change = ReleaseDiff['changes'][number];

/** Every place at which two plain values differ, in alphabetical order of their paths; lists count as one value. */
export function compareValues(before: unknown, after: unknown): readonly Change[] {
  return changesAt('', before, after).toSorted((a, b) => a.path.localeCompare(b.path, 'en'));
}

function changesAt(path: string, before: unknown, after: unknown): readonly Change[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changesAt(path === '' ? key : `${path}.${key}`, before[key], after[key]));
  }
  const [old, now] = [textOf(before), textOf(after)];
  if (old === now) return [];
  if (old === undefined) return [{ path, kind: 'added', after: now! }];
  if (now === undefined) return [{ path, kind: 'removed', before: old }];
  return [{ path, kind: 'changed', before: old, after: now }];
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
