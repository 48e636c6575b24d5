import type { PathStat } from '../runtime/index.ts';

const TYPE_MASK = 0o170000;
/** `st_mode`'s file types in the bits of Go's `os.FileMode`. */
const GO_TYPES: Readonly<Record<number, number>> = {
  0o040000: 2 ** 31,
  0o120000: 2 ** 27,
  0o060000: 2 ** 26,
  0o010000: 2 ** 25,
  0o140000: 2 ** 24,
  0o020000: 2 ** 26 + 2 ** 21,
};

/** Go's `os.FileMode` of an `st_mode`, as the archive endpoints tell it. */
export function goFileMode(mode: number): number {
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (GO_TYPES[mode & TYPE_MASK] ?? 0) + special + (mode & 0o777);
}

/** The header `X-Docker-Container-Path-Stat` (API 1.51, `HEAD /containers/{id}/archive`). */
export function pathStatHeader(stat: PathStat): string {
  const value = {
    name: stat.name,
    size: stat.sizeBytes,
    mode: goFileMode(stat.mode),
    mtime: stat.modifiedAt.toISOString(),
    linkTarget: stat.linkTarget,
  };
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
