import { lstatSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { messageOf, systemCodeOf, UserError } from '../../lib/errors.ts';
import type { Digest } from '../../lib/oci/index.ts';
import { sharedBytes, sharedRows } from '../../lib/shared-rows.ts';
import { runInThread } from '../../lib/thread.ts';
import { statesOf, stepOf, usableState } from './digest-states.ts';
import type { DigestState, Filling, NewFile } from './face.ts';
import { type DigestWork, digestArchive, type MadeFile, makeFiles, type ReadFile } from './fill-threads.ts';
import { createLayerEncoder, type LayerTarFigures } from './layer-tar.ts';
import { readSmallFolder, type SmallMember } from './small-layer.ts';
import { parentOf, tarEntry, type TarEntry } from './tar-entry.ts';
import type { XattrReader } from './xattr.ts';

/** Folders and the few files that are there before. */
const MOST_PRESENT = { entries: 20_000, bytes: 4 * 1024 * 1024 };
const FILES_PER_CELL = 32;
const MOST_THREADS = 4;
/** Longest time for which others wait. */
const SLICE_MS = 3;

export interface FilledLayer {
  readonly diffId: Digest;
  readonly figures: LayerTarFigures;
}

/**
 * Puts many files into an upper folder and computes the digest of its archive meanwhile: some threads make the files in
 * the archive's order, one reads what they made. The bytes of the archive are those of `writeLayerTar`.
 * @returns the digest; undefined where the folder had so much in it before that it has to be read as a whole
 * @throws UserError `copy-failed`, `layer-name-reserved`
 */
export async function fillAndDigest(
  directory: string,
  { files: given, ...o }: Filling,
  xattrs: XattrReader | undefined,
): Promise<FilledLayer | undefined> {
  const root = Buffer.from(directory).toString('latin1');
  const present = xattrs === undefined ? undefined : readSmallFolder(directory, xattrs, MOST_PRESENT);
  const files = inOrder(given, ({ path }) => path);
  const folders = timesOf(root, files);
  const progress = new Int32Array(new SharedArrayBuffer(4 * Math.ceil(files.length / FILES_PER_CELL)));
  const shared = { progress, filesPerCell: FILES_PER_CELL };
  const archive = present === undefined ? undefined : frameOf(root, files, present);
  const failure = new AbortController();
  const signal = o.signal === undefined ? failure.signal : AbortSignal.any([o.signal, failure.signal]);
  const threads = Math.min(MOST_THREADS, availableParallelism(), progress.length);
  const places = new Map(files.map(({ path }, index) => [path, index]));
  const rows = files.map((file) => madeFields(root, file, places));
  const made = sharedRows(rows, FILES_PER_CELL);
  const resumed = archive && resumedAt(files, archive, o);
  const step = stepOf(archive?.places.length ?? 0, FILES_PER_CELL);
  const digest =
    archive && runInThread(digestArchive, { ...archive.work, ...shared, step, from: resumed?.from }, signal);
  const making = Array.from({ length: threads }, (_, first) =>
    runInThread(makeFiles, { files: made, ...shared, first, threads }, signal),
  );
  const completed = Promise.all(making).then(() => complete(root, { files, folders, ...o, signal }));
  const seen = Promise.all(making).then(() => o.made?.());
  const works: Promise<unknown>[] = [completed, seen, ...(digest === undefined ? [] : [digest])];
  for (const work of works) work.catch((error: unknown) => failure.abort(error));
  const ended = await Promise.allSettled(works);
  o.signal?.throwIfAborted();
  if (ended.some(({ status }) => status === 'rejected')) throw copyFailed(failure.signal.reason);
  if (archive === undefined || digest === undefined) return undefined;
  const { digest: digits, stops } = await digest;
  o.noteStates?.(
    statesOf({ frame: archive.work.frame, places: archive.places }, { before: resumed?.before ?? [], stops }),
  );
  return { diffId: `sha256:${digits}`, figures: archive.figures };
}

interface Resumed {
  readonly from: DigestWork['from'];
  /** States up to there. */
  readonly before: readonly DigestState[];
}

/** Where the digest of the layer before was when the first content came that is not in it. */
function resumedAt(
  files: readonly NewFile[],
  archive: Frame,
  { states = [] }: Pick<Filling, 'states'>,
): Resumed | undefined {
  const { frame } = archive.work;
  const other = archive.indexes.findIndex((index) => files[index]!.content.kind !== 'twin');
  const same = other < 0 ? archive.indexes.length : other;
  const state = usableState({ frame, places: archive.places }, { states, same, cell: FILES_PER_CELL });
  if (state === undefined) return undefined;
  const from = { done: state.done, framed: archive.places[state.done - 1]!, state: Buffer.from(state.state, 'base64') };
  return { from, before: states.filter(({ done }) => done <= state.done) };
}

/** As an archive has them: bytewise, folder by folder. */
function inOrder<T>(items: readonly T[], pathOf: (item: T) => string): readonly T[] {
  return items
    .map((item) => ({ item, key: pathOf(item).replaceAll('/', '\0') }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}

function madeFields(...of: Parameters<typeof madeFile>): readonly (string | number)[] {
  const { how, from, to, size, mode, uid, gid, after } = madeFile(...of);
  return [how, from, to, size, mode, uid, gid, after];
}

function madeFile(root: string, file: NewFile, places: ReadonlyMap<string, number>): MadeFile {
  const { mode, uid, gid, size } = file;
  const base = { to: `${root}/${file.path}`, mode, uid, gid, size, after: -1 };
  switch (file.content.kind) {
    case 'symlink':
      return { ...base, how: 'symlink', from: file.content.target };
    case 'name':
      return { ...base, how: 'link', from: `${root}/${file.content.of}`, after: places.get(file.content.of) ?? -1 };
    case 'copy':
      return { ...base, how: 'copy', from: file.content.from };
    case 'twin':
      return { ...base, how: 'link', from: file.content.of };
  }
}

interface Frame {
  readonly work: Pick<DigestWork, 'frame' | 'contents'>;
  readonly figures: LayerTarFigures;
  /** Of each content: where it comes in, and the index of its file. */
  readonly places: readonly number[];
  readonly indexes: readonly number[];
}

/** The archive of what is there and what comes, without the contents of what comes. */
function frameOf(root: string, files: readonly NewFile[], present: readonly SmallMember[]): Frame {
  const pieces: Buffer[] = [];
  const contents: (readonly (string | number)[])[] = [];
  const [places, indexes]: [number[], number[]] = [[], []];
  let length = 0;
  const encoder = createLayerEncoder({
    write(data) {
      pieces.push(data);
      length += data.length;
    },
    flush: () => Promise.resolve(),
  });
  const coming = files.map((file, index) => ({ entry: entryOf(file), content: undefined, index }));
  for (const member of inOrder<SmallMember & { index?: number }>([...present, ...coming], ({ entry }) => entry.path)) {
    const { entry, content, index } = member;
    encoder.entry(entry);
    if (content !== undefined && content.length > 0) encoder.data(content);
    if (index === undefined || entry.size === 0) continue;
    contents.push(contentFields({ at: length, path: `${root}/${entry.path}`, size: entry.size, file: index }));
    places.push(length);
    indexes.push(index);
    encoder.contentElsewhere();
  }
  encoder.end();
  const work = { frame: sharedBytes(pieces), contents: sharedRows(contents, FILES_PER_CELL) };
  return { work, figures: encoder.figures(), places, indexes };
}

function contentFields({ at, path, size, file }: ReadFile): readonly (string | number)[] {
  return [at, path, size, file];
}

function entryOf(file: NewFile): TarEntry {
  const { path, mode, uid, gid, xattrs, content } = file;
  const base = { path, mode, uid, gid, mtime: secondsOf(file.time) };
  if (content.kind === 'symlink')
    return tarEntry({ ...base, mode: 0o777, type: 'symlink', linkTarget: content.target });
  if (content.kind === 'name') return tarEntry({ ...base, type: 'hardlink', linkTarget: content.of });
  return tarEntry({ ...base, type: 'file', size: file.size, ...(xattrs === undefined ? {} : { xattrs }) });
}

function secondsOf(time: string): number {
  return Number.parseInt(time, 10);
}

interface FolderTime {
  readonly path: string;
  readonly time: string;
}

/** Making a file in a folder changes the folder's time. */
function timesOf(root: string, files: readonly NewFile[]): readonly FolderTime[] {
  const folders = new Set(files.map(({ path }) => parentOf(path)));
  return [...folders].map((folder) => {
    const path = folder === '' ? root : `${root}/${folder}`;
    return { path, time: timeText(lstatSync(Buffer.from(path, 'latin1'), { bigint: true }).mtimeNs) };
  });
}

/** Whole seconds, a point, and the nanoseconds above them: before 1970, too. */
function timeText(nanoseconds: bigint): string {
  const below = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(nanoseconds - below) / 1_000_000_000n}.${String(below).padStart(9, '0')}`;
}

/** Times and attributes, which the threads leave to us. */
async function complete(
  root: string,
  o: Filling & { readonly folders: readonly FolderTime[]; readonly signal: AbortSignal },
): Promise<void> {
  let since = performance.now();
  for (const file of o.files) {
    if (file.content.kind !== 'copy' && file.content.kind !== 'symlink') continue;
    o.setMetadata(Buffer.from(`${root}/${file.path}`, 'latin1'), file);
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    o.signal.throwIfAborted();
    since = performance.now();
  }
  for (const { path, time } of o.folders) o.setMetadata(Buffer.from(path, 'latin1'), { time });
}

function copyFailed(cause: unknown): unknown {
  if (cause instanceof UserError || systemCodeOf(cause) === undefined) return cause;
  return new UserError({
    code: 'copy-failed',
    kind: 'failed',
    message: `copying failed: ${messageOf(cause)}`,
    fix: 'Files of the context must not change while they are copied, and the disk must have room: build again.',
    cause,
  });
}
