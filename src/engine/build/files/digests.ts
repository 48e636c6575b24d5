import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../../../lib/database.ts';
import { digestInThreads } from './digest-threads.ts';
import { onDisk } from './names.ts';
import { openFileCalls, type FileCalls } from './native.ts';
import type { SelectedSource } from './select.ts';
import { isSettled, stampOf, type TreeEntry } from './tree.ts';

/** Up to here files are digested in this thread: to start others takes longer. */
const FEW = { files: 500, bytes: 8 * 1024 * 1024 };
const BUFFER_BYTES = 256 * 1024;
const ROWS_AT_ONCE = 2_000;
/** Longest time for which others wait. */
const SLICE_MS = 3;

/** Digests of the content of files and of their extended attributes, remembered by path, inode, size and times. */
export interface FileDigests {
  /**
   * Digests of the regular files of a source, by their path in it. `remember`: worth keeping for the next build.
   * @param o.walkedAt at the latest then the walk began that found them
   */
  of(
    source: SelectedSource,
    o: { readonly remember: boolean; readonly walkedAt: Date; readonly signal?: AbortSignal },
  ): Promise<ReadonlyMap<string, string>>;
}

type KnownRow = readonly [path: string, stamp: string, digest: string];

export function createFileDigests(database: DatabaseSync): FileDigests {
  const calls = openFileCalls();
  const find = database.prepare(
    'SELECT path, stamp, digest FROM build_files WHERE path = ? OR (path >= ? AND path < ?)',
  );
  const insert = database.prepare(
    'INSERT INTO build_files VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET stamp = excluded.stamp, digest = excluded.digest',
  );
  find.setReturnArrays(true); // half the time of objects
  const known = (directory: string): ReadonlyMap<string, KnownRow> => {
    const rows = find.all(directory, `${directory}/`, `${directory}0`) as unknown as readonly KnownRow[];
    return new Map(rows.map((row) => [row[0], row]));
  };
  return {
    async of(source, { remember, walkedAt, signal }) {
      const files = source.entries.filter(({ kind }) => kind === 'file');
      const rows = remember ? known(source.directory) : new Map<string, KnownRow>();
      const digests = new Map<string, string>();
      const unknown: TreeEntry[] = [];
      for (const entry of files) {
        const [, stamp, digest] = rows.get(pathOf(source.directory, entry)) ?? [];
        if (digest !== undefined && stamp === stampOf(entry)) digests.set(entry.path, digest);
        else unknown.push(entry);
      }
      const contents = await digestFiles(source.directory, unknown, signal);
      const fresh = calls === undefined ? contents : await withXattrs(calls, source.directory, contents);
      for (const [path, digest] of fresh) digests.set(path, digest);
      // Nobody waits for it: what is not remembered is read again.
      if (remember)
        store(
          unknown.filter((entry) => isSettled(entry, walkedAt)),
          fresh,
        ).catch(() => {});
      return digests;

      async function store(entries: readonly TreeEntry[], by: ReadonlyMap<string, string>): Promise<void> {
        for (let at = 0; at < entries.length; at += ROWS_AT_ONCE) {
          inTransaction(database, () => {
            for (const entry of entries.slice(at, at + ROWS_AT_ONCE)) {
              insert.run(pathOf(source.directory, entry), stampOf(entry), by.get(entry.path) ?? '');
            }
          });
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
  };
}

/** Attributes are part of what is copied; most files have none. */
async function withXattrs(
  calls: FileCalls,
  directory: string,
  contents: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map(contents);
  let looked = 0;
  for (const [path, digest] of contents) {
    const xattrs = [...calls.readXattrs(Buffer.from(join(directory, path), 'latin1'))];
    const text = xattrs.map(([name, value]) => `${name}=${value.toString('hex')}`).join(' ');
    if (text !== '') digests.set(path, createHash('sha256').update(`${digest} ${text}`).digest('hex'));
    if (++looked % ROWS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return digests;
}

/** As `join` has it, which takes longer for a clean path. */
function pathOf(directory: string, { path }: TreeEntry): string {
  return path === '' ? directory : `${directory}/${path}`;
}

/** Here a file costs 20 µs, through the thread pool it costs 200: a few at a time, and others have their turn. */
async function digestHere(
  directory: string,
  entries: readonly TreeEntry[],
  { digests, signal }: { readonly digests: Map<string, string>; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let since = performance.now();
  for (const entry of entries) {
    digests.set(entry.path, digestFile(onDisk(pathOf(directory, entry)), buffer));
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    since = performance.now();
  }
}

function digestFile(path: Buffer | string, buffer: Buffer): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash('sha256');
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer))
      hash.update(buffer.subarray(0, length));
    return hash.digest('hex');
  } finally {
    closeSync(file);
  }
}

async function digestFiles(
  directory: string,
  entries: readonly TreeEntry[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>();
  const bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (entries.length <= FEW.files && bytes <= FEW.bytes) await digestHere(directory, entries, { digests, signal });
  else {
    const paths = entries.map((entry) => pathOf(directory, entry));
    for (const [at, digest] of (await digestInThreads(paths, signal)).entries()) digests.set(entries[at]!.path, digest);
  }
  return digests;
}
