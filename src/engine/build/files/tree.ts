import { runOrThrow } from '../../../lib/process.ts';

type FileKind = 'file' | 'directory' | 'link' | 'other';

/** One file as it is on the disk. */
export interface TreeEntry {
  /** Relative to where the walk began; empty for that itself. */
  readonly path: string;
  readonly kind: FileKind;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since 1970, as a decimal number with nanoseconds. */
  readonly modifiedAt: string;
  readonly changedAt: string;
  readonly inode: string;
  readonly device: string;
  readonly links: number;
  readonly linkTarget: string;
}

const FORMAT = ['P', 'y', 'm', 'U', 'G', 's', 'T@', 'C@', 'i', 'D', 'n', 'l'];
const KINDS: Readonly<Record<string, FileKind>> = { f: 'file', d: 'directory', l: 'link' };

/** A file, or a folder and everything below it, parents first: one process, whatever the number of files. */
export async function walkTree(path: string, signal?: AbortSignal): Promise<readonly TreeEntry[]> {
  const format = FORMAT.map((field) => `%${field}\\0`).join('');
  const { stdout } = await runOrThrow(
    ['find', path, '-xdev', '-printf', format],
    signal === undefined ? {} : { signal },
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
  return {
    path,
    kind: KINDS[type] ?? 'other',
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    sizeBytes: Number(size),
    modifiedAt,
    changedAt,
    inode,
    device,
    links: Number(fields[10]),
    linkTarget: fields[11] ?? '',
  };
}
