import { lstat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { systemCodeOf } from '../../../lib/errors.ts';
import { type IgnoreRules, withoutIgnored } from './ignore.ts';
import { patternOf, splitPattern } from './match.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { type TreeEntry, walkTree } from './tree.ts';

/** A tree that files are copied from. */
export interface SourceRoot {
  /** On this host. */
  readonly directory: string;
  readonly ignore: IgnoreRules | undefined;
}

/** One thing that a COPY names: a file, or a folder with everything below. */
export interface SelectedSource {
  /** The last part of its name: what it is called inside a destination folder. */
  readonly name: string;
  /** On this host; links are followed. */
  readonly directory: string;
  /** The first is the thing itself; the paths of the others are relative to it; parents first. */
  readonly entries: readonly TreeEntry[];
}

/** Why nothing was found. */
export type Selection =
  | { readonly kind: 'found'; readonly sources: readonly SelectedSource[] }
  | { readonly kind: 'missing' | 'ignored' | 'malformed' };

/** Finds what one source of a COPY means. A link named by it is followed, inside the tree. */
export async function selectSource(root: SourceRoot, pattern: string, signal?: AbortSignal): Promise<Selection> {
  const { prefix, rest } = splitPattern(pattern);
  const start = await resolveInRoot(root.directory, prefix);
  if (!(await isThere(start))) return { kind: 'missing' };
  const inRoot = relative(root.directory, start);
  const all = await walkTree(start, signal);
  const entries = root.ignore === undefined ? all : withoutIgnored(all, inRoot, root.ignore);
  if (rest === '') {
    if (entries.length === 0 || entries[0]?.path !== '') return { kind: 'ignored' };
    return { kind: 'found', sources: [{ name: basename(prefix), directory: start, entries }] };
  }
  const expression = patternOf(rest);
  if (expression === undefined) return { kind: 'malformed' };
  const matches = entries.filter(({ path }) => path !== '' && expression.test(path));
  const sources = await Promise.all(matches.map((match) => below({ root, start, entries, match, signal })));
  return { kind: 'found', sources };
}

interface Match {
  readonly root: SourceRoot;
  readonly start: string;
  readonly entries: readonly TreeEntry[];
  readonly match: TreeEntry;
  readonly signal: AbortSignal | undefined;
}

async function below({ root, start, entries, match, signal }: Match): Promise<SelectedSource> {
  const name = basename(match.path);
  if (match.kind === 'link') {
    const directory = await resolveInRoot(root.directory, relative(root.directory, join(start, match.path)));
    return { name, directory, entries: await walkTree(directory, signal) };
  }
  const own = match.kind !== 'directory' ? [] : entries.filter(({ path }) => path.startsWith(`${match.path}/`));
  return {
    name,
    directory: join(start, match.path),
    entries: [
      { ...match, path: '' },
      ...own.map((entry) => ({ ...entry, path: entry.path.slice(match.path.length + 1) })),
    ],
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return false;
    throw error;
  }
}
