import { lstat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { systemCodeOf } from '../../../lib/errors.ts';
import { resolveNameInRoot } from '../../../lib/root-path.ts';
import { type IgnoreRules, parseIgnore, withoutIgnored } from './ignore.ts';
import { hasWildcard, patternOf, splitPattern } from './match.ts';
import { nameOf, onDisk, textOf } from './names.ts';
import { takeWalk, type TreeEntry, type Walk, walkTree } from './tree.ts';

/** A tree that files are copied from. */
export interface SourceRoot {
  /** On this host, as text. */
  readonly directory: string;
  readonly ignore: IgnoreRules | undefined;
  /** Something below it that was walked already. */
  readonly walked?: { readonly path: string; readonly walk: Walk };
}

export type WalkedRoot = SourceRoot & Required<Pick<SourceRoot, 'walked'>>;

/** What a COPY says of one source; everything is text. */
export interface SourceQuery {
  /** Relative to the root, with wildcards. */
  readonly path: string;
  /** `--parents`: folders of `path` below this one are kept. */
  readonly parentsBelow?: string | undefined;
  /** Patterns as in .dockerignore, relative to what is selected (a file: its name). */
  readonly excludes?: readonly string[];
}

/** One thing that a COPY names: a file, or a folder with everything below. Names are byte strings. */
export interface SelectedSource {
  /** The last part of its name: what it is called inside a destination folder. */
  readonly name: string;
  /** On this host; links are followed. */
  readonly directory: string;
  /** The first is the thing itself; the paths of the others are relative to it; parents first. */
  readonly entries: readonly TreeEntry[];
  /**
   * `--parents`: folders, by path, that are here only because of what is in them. Where they are in the destination
   * already they stay as they are. The first entry is one, and gives nothing but its place.
   */
  readonly onTheWay?: ReadonlySet<string>;
}

/** Why nothing was found. */
export type Selection =
  | { readonly kind: 'found'; readonly sources: readonly SelectedSource[] }
  | { readonly kind: 'missing' | 'ignored' | 'malformed' };

/** Finds what one source of a COPY means. A link named by it is followed, inside the tree. */
export async function selectSource(root: SourceRoot, query: SourceQuery, signal?: AbortSignal): Promise<Selection> {
  const excludes = parseIgnore((query.excludes ?? []).join('\n'));
  if (query.parentsBelow !== undefined) return selectParents({ root, query, excludes, signal }, query.parentsBelow);
  const found = await find(root, query.path, signal);
  if (found.kind !== 'found') return found;
  return { kind: 'found', sources: found.sources.flatMap((source) => withoutExcluded(source, excludes)) };
}

/**
 * Walks what a query means, where everything that it selects is in one place.
 * @returns the root with that walk; undefined where links or patterns may lead elsewhere, or nothing is there
 */
export async function walkQuery(
  root: SourceRoot,
  query: SourceQuery,
  signal?: AbortSignal,
): Promise<WalkedRoot | undefined> {
  const { prefix, rest } = splitPattern(query.path);
  if (rest !== '' || query.parentsBelow !== undefined) return undefined;
  const path = await resolveNameInRoot(nameOf(root.directory), nameOf(prefix));
  return (await isThere(path)) ? { ...root, walked: { path, walk: await takeWalk(path, signal) } } : undefined;
}

/** The matches of a path with wildcards. */
async function find(root: SourceRoot, path: string, signal?: AbortSignal): Promise<Selection> {
  const { prefix, rest } = splitPattern(path);
  const start = await resolveNameInRoot(nameOf(root.directory), nameOf(prefix));
  if (!(await isThere(start))) return { kind: 'missing' };
  const entries = await entriesOf(root, start, signal);
  if (rest === '') {
    if (entries.length === 0 || entries[0]?.path !== '') return { kind: 'ignored' };
    return { kind: 'found', sources: [{ name: basename(nameOf(prefix)), directory: start, entries }] };
  }
  const expression = patternOf(rest);
  if (expression === undefined) return { kind: 'malformed' };
  const matches = entries.filter(({ path: name }) => name !== '' && expression.test(textOf(name)));
  const sources: SelectedSource[] = [];
  for (const match of matches) {
    const source =
      match.kind === 'link' ? await followed(root, join(start, match.path), signal) : below(start, entries, match);
    if (source === undefined) return { kind: 'missing' };
    sources.push(source);
  }
  return { kind: 'found', sources };
}

/** What is not ignored. */
async function entriesOf(root: SourceRoot, start: string, signal?: AbortSignal): Promise<readonly TreeEntry[]> {
  const all = root.walked?.path === start ? root.walked.walk.entries() : await walkTree(start, signal);
  return root.ignore === undefined ? all : withoutIgnored(all, relative(nameOf(root.directory), start), root.ignore);
}

function below(start: string, entries: readonly TreeEntry[], match: TreeEntry): SelectedSource {
  const own = match.kind !== 'directory' ? [] : entries.filter(({ path }) => path.startsWith(`${match.path}/`));
  return {
    name: basename(match.path),
    directory: join(start, match.path),
    entries: [
      { ...match, path: '' },
      ...own.map((entry) => ({ ...entry, path: entry.path.slice(match.path.length + 1) })),
    ],
  };
}

/** Undefined where the link leads nowhere. */
async function followed(root: SourceRoot, path: string, signal?: AbortSignal): Promise<SelectedSource | undefined> {
  const top = nameOf(root.directory);
  const directory = await resolveNameInRoot(top, relative(top, path));
  if (!(await isThere(directory))) return undefined;
  return { name: basename(path), directory, entries: await entriesOf(root, directory, signal) };
}

/** The folder itself is what its source names: it is never excluded, only what is in it. */
function withoutExcluded(source: SelectedSource, excludes: IgnoreRules): readonly SelectedSource[] {
  const [top] = source.entries;
  if (excludes.isEmpty || top === undefined) return [source];
  if (top.kind !== 'directory') return excludes.ignores(textOf(source.name)) ? [] : [source];
  return [{ ...source, entries: kept(source.entries, excludes) }];
}

function kept(entries: readonly TreeEntry[], excludes: IgnoreRules): readonly TreeEntry[] {
  const rest = withoutIgnored(entries, '', excludes);
  return rest[0]?.path === '' ? rest : [...entries.slice(0, 1), ...rest];
}

interface ParentsQuery {
  readonly root: SourceRoot;
  readonly query: SourceQuery;
  readonly excludes: IgnoreRules;
  readonly signal: AbortSignal | undefined;
}

/** `COPY --parents` (Dockerfile reference): the path below a pivot is a pattern over everything below it. */
async function selectParents({ root, query, excludes, signal }: ParentsQuery, pivot: string): Promise<Selection> {
  const found = await find(root, pivot === '' ? '.' : pivot, signal);
  if (found.kind !== 'found') return found;
  const rest = query.path === pivot || query.path === '.' ? '' : query.path.slice(pivot === '' ? 0 : pivot.length + 1);
  const expression = patternOf(rest, true);
  if (expression === undefined) return { kind: 'malformed' };
  const sources = found.sources
    .filter(({ entries }) => entries[0]?.kind === 'directory')
    .map((source) => matching(source, { expression: rest === '' ? undefined : expression, excludes }))
    .filter(({ entries }) => entries.length > 1 || rest === '');
  if (sources.length === 0 && !hasWildcard(query.path)) return { kind: 'missing' };
  return { kind: 'found', sources };
}

/** Of a folder what matches, what is below that, and the folders that lead there. */
function matching(
  source: SelectedSource,
  { expression, excludes }: { readonly expression: RegExp | undefined; readonly excludes: IgnoreRules },
): SelectedSource {
  const wanted = new Set<string>();
  const leading = new Set<string>(['']);
  for (const { path } of source.entries) {
    if (path === '') continue;
    if (expression === undefined || wanted.has(parentOf(path)) || expression.test(textOf(path))) wanted.add(path);
    else continue;
    for (let at = parentOf(path); at !== '' && !wanted.has(at) && !leading.has(at); at = parentOf(at)) leading.add(at);
  }
  const entries = source.entries.filter(({ path }) => wanted.has(path) || leading.has(path));
  return { ...source, entries: excludes.isEmpty ? entries : kept(entries, excludes), onTheWay: leading };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(onDisk(path));
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return false;
    throw error;
  }
}
