import { runOrThrow } from '../../../lib/process.ts';
import { asArgument, textOf } from './names.ts';

type FileKind = 'file' | 'directory' | 'link' | 'other';

/** One file as it is on the disk. */
export interface TreeEntry {
  /** Relative to where the walk began, as a byte string; empty for that itself. */
  readonly path: string;
  readonly kind: FileKind;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** It takes less room than its size says: it has holes. */
  readonly isSparse: boolean;
  /** Whole seconds since 1970, a point, and the nanoseconds above them. */
  readonly modifiedAt: string;
  readonly changedAt: string;
  readonly inode: string;
  readonly device: string;
  readonly links: number;
  /** A byte string. */
  readonly linkTarget: string;
}

const FORMAT = ['P', 'y', 'm', 'U', 'G', 's', 'T@', 'C@', 'i', 'D', 'n', 'b', 'l'];
const KINDS: Readonly<Record<string, FileKind>> = { f: 'file', d: 'directory', l: 'link' };
const BLOCK = 512;

/** A file, or a folder and everything below it, parents first: one process, whatever the number of files. */
export async function walkTree(
  path: string,
  signal?: AbortSignal,
  o: { readonly onlyTop?: boolean } = {},
): Promise<readonly TreeEntry[]> {
  const argument = asArgument(path);
  if (argument === undefined) throw new Error(`the name ${textOf(path)} is no UTF-8`);
  const format = FORMAT.map((field) => `%${field}\\0`).join('');
  const { stdout } = await runOrThrow(
    ['find', argument, '-xdev', ...(o.onlyTop === true ? ['-prune'] : []), '-printf', format],
    {
      encoding: 'latin1',
      ...(signal === undefined ? {} : { signal }),
    },
  );
  const fields = stdout.split('\0');
  const entries: TreeEntry[] = [];
  for (let at = 0; at + FORMAT.length <= fields.length; at += FORMAT.length) {
    entries.push(entryOf(fields.slice(at, at + FORMAT.length)));
  }
  return entries;
}

function entryOf(fields: readonly string[]): TreeEntry {
  const [path = '', type = '', mode = '', uid, gid, size, modifiedAt = '', changedAt = '', inode = '', device = ''] =
    fields;
  const kind = KINDS[type] ?? 'other';
  return {
    path,
    kind,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    sizeBytes: Number(size),
    isSparse: kind === 'file' && Number(fields[11]) * BLOCK < Number(size),
    modifiedAt,
    changedAt,
    inode,
    device,
    links: Number(fields[10]),
    linkTarget: fields[12] ?? '',
  };
}
