import { lstatSync } from 'node:fs';
import { runOrThrow } from '../../../lib/process.ts';
import { asArgument, onDisk, textOf } from './names.ts';

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

/** What stands in a tree at a moment. */
export interface Walk {
  /** When it began. */
  readonly at: Date;
  /** All that the entries say, as one text: equal texts, equal entries. */
  readonly text: string;
  entries(): readonly TreeEntry[];
}

/** A file, or a folder and everything below it, parents first: one process, whatever the number of files. */
export async function walkTree(
  path: string,
  signal?: AbortSignal,
  o: { readonly onlyTop?: boolean } = {},
): Promise<readonly TreeEntry[]> {
  return (await takeWalk(path, signal, o)).entries();
}

/** As `walkTree`, for those who may not need the entries. */
export async function takeWalk(
  path: string,
  signal?: AbortSignal,
  o: { readonly onlyTop?: boolean } = {},
): Promise<Walk> {
  const argument = asArgument(path);
  if (argument === undefined) throw new Error(`the name ${textOf(path)} is no UTF-8`);
  const at = new Date();
  const format = FORMAT.map((field) => `%${field}\\0`).join('');
  const { stdout } = await runOrThrow(
    ['find', argument, '-xdev', ...(o.onlyTop === true ? ['-prune'] : []), '-printf', format],
    {
      encoding: 'latin1',
      ...(signal === undefined ? {} : { signal }),
    },
  );
  return { at, text: stdout, entries: () => entriesOf(stdout) };
}

/** A file that changed so shortly before a walk may have changed again without its times telling. */
const SETTLED_MS = 100;

export function isSettled({ changedAt }: TreeEntry, walkedAt: Date): boolean {
  return Number(changedAt) * 1_000 < walkedAt.getTime() - SETTLED_MS;
}

/** Changes with the content of a file, and with whatever else is changed. */
export function stampOf(entry: TreeEntry): string {
  return `${entry.device} ${entry.inode} ${entry.sizeBytes} ${entry.modifiedAt} ${entry.changedAt}`;
}

/** Whether the file is what a walk said: the same one with the same content, as far as its size and times tell. */
export function isStill(directory: string, entry: TreeEntry): boolean {
  const path = entry.path === '' ? directory : `${directory}/${entry.path}`;
  const now = lstatSync(onDisk(path), { bigint: true, throwIfNoEntry: false });
  if (now === undefined) return false;
  const isSameFile = String(now.dev) === entry.device && String(now.ino) === entry.inode;
  const isSameSize = now.size === BigInt(entry.sizeBytes);
  return isSameFile && isSameSize && now.mtimeNs === inNs(entry.modifiedAt) && now.ctimeNs === inNs(entry.changedAt);
}

function inNs(time: string): bigint {
  const [whole = '0', fraction = ''] = time.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

function entriesOf(text: string): readonly TreeEntry[] {
  const fields = text.split('\0');
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
