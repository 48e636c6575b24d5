import { dirname, relative } from 'node:path';

export interface OverlayMount {
  /** Layer directories, bottom first. */
  readonly lower: readonly string[];
  readonly upper?: string;
  /** Needed with `upper`; empty, and on the same file system. */
  readonly work?: string;
  readonly target: string;
  /**
   * Nothing is brought to the disk on its behalf: neither what processes in it sync nor all of it when it is unmounted
   * (kernel documentation, overlayfs, "Volatile mount"; Linux 5.10).
   */
  readonly isVolatile?: boolean;
}

/**
 * The command that mounts a stack of layers; read-only without `upper`.
 * Mount options must fit in one page, so layers are named relative to their common folder: `env` goes there
 * and becomes `mount`. More than 100 layers fit. Index, redirects and metacopy are off: an upper folder must be
 * complete by itself to become a layer. What is no stack (an image without layers, a single layer to read) is a
 * plain bind mount, since overlayfs takes only stacks.
 */
export function overlayMountArgv(o: OverlayMount): [string, ...string[]] {
  const [only] = o.lower;
  if (only === undefined) {
    if (o.upper === undefined) throw new Error('nothing to mount: neither layers nor an upper folder');
    return ['mount', '--bind', o.upper, o.target];
  }
  if (o.upper === undefined && o.lower.length === 1) return ['mount', '-o', 'bind,ro', only, o.target];
  const base = commonDirectory(o.lower);
  return ['env', `--chdir=${base}`, 'mount', '-t', 'overlay', '-o', overlayOptions(o, base), 'overlay', o.target];
}

/** Options of an overlay; layers are named relative to `base` where it is given. */
export function overlayOptions(o: OverlayMount, base?: string): string {
  // Equal layers share a folder, and overlayfs takes each folder once: the topmost one hides the others anyway.
  const distinct = o.lower.filter((directory, index) => o.lower.lastIndexOf(directory) === index);
  const named = distinct.map((directory) => (base === undefined ? directory : relative(base, directory)));
  const lower = named.toReversed().map((directory) => escapePath(directory));
  const options = [`lowerdir=${lower.join(':')}`];
  if (o.upper !== undefined) options.push(`upperdir=${escapePath(o.upper)}`, `workdir=${escapePath(o.work ?? '')}`);
  options.push('index=off', 'redirect_dir=off', 'metacopy=off');
  if (o.isVolatile === true) options.push('volatile');
  return options.join(',');
}

function commonDirectory(paths: readonly string[]): string {
  const [first, ...rest] = paths.map((path) => dirname(path));
  let common = first ?? '/';
  for (const path of rest)
    while (path !== common && !path.startsWith(`${common}/`) && common !== '/') common = dirname(common);
  return common;
}

/** Colons and commas end a path in overlay options, unless escaped (kernel documentation, overlayfs). */
function escapePath(path: string): string {
  return path.replaceAll(/[\\:,]/g, (character) => `\\${character}`);
}
