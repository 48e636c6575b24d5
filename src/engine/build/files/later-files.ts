import type { NewFile } from '../../image/index.ts';
import { changedMode } from '../dockerfile/mode.ts';
import type { CopyOptions } from './copy-options.ts';
import type { SelectedSource } from './select.ts';
import type { TreeEntry } from './tree.ts';

/** From so many files on, threads pay. */
export const MANY = 200;
const ENTRIES_AT_ONCE = 1_000;

/** Which files of a source are made as the layer is sealed: those in folders that nothing is in, where that keeps all that they are. */
export function laterEntries(
  entries: readonly TreeEntry[],
  { later, calls }: Pick<CopyOptions, 'later' | 'calls'>,
  isInEmptyFolder: (entry: TreeEntry) => boolean,
): readonly TreeEntry[] {
  if (later === undefined || calls === undefined || entries.length < MANY) return [];
  const chosen = entries.filter(isInEmptyFolder);
  const isPlain = entries.every(({ kind, isSparse }) => kind !== 'other' && !isSparse);
  // Names of one file stay together.
  const isWhole = chosen.length === entries.length || entries.every(({ links }) => links === 1);
  return chosen.length >= MANY && isPlain && isWhole ? chosen : [];
}

interface NewFilesOptions extends CopyOptions {
  readonly entries: readonly TreeEntry[];
  /** Where an entry comes to be, below the root. */
  pathOf(entry: TreeEntry): string;
}

/** What the layer needs to know of them. */
export async function newFiles(source: SelectedSource, o: NewFilesOptions): Promise<readonly NewFile[]> {
  const files: NewFile[] = [];
  const severalNames = withSeveralNames(o.entries);
  for (const [at, entry] of o.entries.entries()) {
    const isAlone = entry.links === 1 || !severalNames.has(inodeOf(entry));
    files.push(twinOrCopy(source, { entry, isAlone }, o));
    if (at % ENTRIES_AT_ONCE > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    o.signal?.throwIfAborted();
  }
  return severalNames.size > 0 ? withNames(files, o.entries) : files;
}

/** Files that have more than one name among these. */
function withSeveralNames(entries: readonly TreeEntry[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const several = new Set<string>();
  for (const entry of entries.filter(({ links }) => links > 1)) {
    if (seen.has(inodeOf(entry))) several.add(inodeOf(entry));
    seen.add(inodeOf(entry));
  }
  return several;
}

function inodeOf({ device, inode }: TreeEntry): string {
  return `${device}:${inode}`;
}

function twinOrCopy(
  source: SelectedSource,
  { entry, isAlone }: { readonly entry: TreeEntry; readonly isAlone: boolean },
  o: NewFilesOptions,
): NewFile {
  const file = newFile(source, entry, o);
  if (file.content.kind !== 'copy') return file;
  const twin = isAlone ? o.later?.twinOf?.(file, entry.path) : undefined;
  if (twin !== undefined) return { ...file, content: { kind: 'twin', of: twin } };
  // A call a file, which takes longer than all the rest: twins, whose digests have their attributes in them, do without.
  const xattrs = o.calls?.readXattrs(Buffer.from(file.content.from, 'latin1'));
  if (xattrs !== undefined && xattrs.size > 0) return { ...file, xattrs };
  if (isAlone) o.later?.copies?.(file, entry.path);
  return file;
}

/** Without its attributes. */
function newFile(source: SelectedSource, entry: TreeEntry, o: NewFilesOptions): NewFile {
  const from = `${source.directory}/${entry.path}`;
  const { uid, gid } = o.ownership === 'as-source' ? entry : o.ownership;
  const base = {
    ...{ path: o.pathOf(entry), uid, gid },
    time: o.time === undefined ? entry.modifiedAt : `${o.time}.0`,
  };
  if (entry.kind === 'link')
    return { ...base, mode: 0o777, size: 0, content: { kind: 'symlink', target: entry.linkTarget } };
  return {
    ...base,
    mode: o.mode === undefined ? entry.mode : changedMode(o.mode, entry.mode, false),
    size: entry.sizeBytes,
    content: { kind: 'copy', from },
  };
}

/** All names of a file but the first of the archive become links to it. */
function withNames(files: readonly NewFile[], entries: readonly TreeEntry[]): readonly NewFile[] {
  const key = (file: NewFile): string => file.path.replaceAll('/', '\0');
  const firsts = new Map<string, NewFile>();
  for (const [at, entry] of entries.entries()) {
    const [file, first] = [files[at]!, firsts.get(inodeOf(entry))];
    if (entry.links > 1 && (first === undefined || key(file) < key(first))) firsts.set(inodeOf(entry), file);
  }
  return files.map((file, at) => {
    const first = firsts.get(inodeOf(entries[at]!));
    if (first === undefined || first === file) return file;
    const { xattrs: _, ...rest } = file;
    return { ...rest, size: 0, content: { kind: 'name', of: first.path } };
  });
}
