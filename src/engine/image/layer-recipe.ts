import { once } from 'node:events';
import { createReadStream, createWriteStream, lstatSync, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { Sink } from './sink.ts';
import type { TarEntry } from './tar-entry.ts';

/**
 * How the exact archive of an unpacked layer is made again: everything of it but the contents of its files, which stand
 * in the layer's folder. A list of records, compressed with zstd:
 * `F` + size (8 bytes) + length of the path (4 bytes) + path: here comes the content of that file;
 * `B` + length (4 bytes) + bytes: here come these bytes. Numbers are big-endian.
 */
const FILE = 0x46;
const BYTES = 0x42;
const FILE_HEAD_BYTES = 13;
const BYTES_HEAD_BYTES = 5;
const MAX_PIECE_BYTES = 256 * 1024;
/** Smaller files are read at once: three calls of the system, no threads. */
const SMALL_FILE_BYTES = 512 * 1024;

/** Takes down an archive while it is unpacked. */
export interface RecipeWriter extends AsyncDisposable {
  /** The next entry as it is unpacked; undefined: it is not. Its content follows after its header. */
  entry(entry: TarEntry | undefined): void;
  content(data: Buffer): void;
  /** Bytes that are no content. */
  frame(data: Buffer): void;
  /** Before the buffers that were given change. */
  flush(): Promise<void>;
  /** Whether the recipe gives the archive: not where a name comes twice, of which only the last is in the folder. */
  finish(): Promise<boolean>;
}

export function createRecipeWriter(path: string): RecipeWriter {
  const compressor = createZstdCompress();
  const written = pipeline(compressor, createWriteStream(path, { mode: 0o600 }));
  written.catch(() => {}); // `flush` and `finish` tell
  const records = createRecords();
  const flush = async (): Promise<void> => {
    const data = records.take();
    if (data.length === 0 || compressor.write(data)) return;
    await Promise.race([once(compressor, 'drain'), written]);
  };
  return {
    ...records,
    flush,
    async finish() {
      await flush();
      compressor.end();
      await written;
      return records.areWhole();
    },
    async [Symbol.asyncDispose]() {
      compressor.destroy();
      await written.catch(() => {});
    },
  };
}

function createRecords() {
  const files = new Set<string>();
  let areWhole = true;
  /** Its content comes next, and stands in the folder. */
  let next: TarEntry | undefined;
  let isInFolder = false;
  let records: Buffer[] = [];
  let frames: Buffer[] = [];
  const closeFrames = (): void => {
    const length = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (length > 0) records.push(bytesHead(length), ...frames);
    frames = [];
  };
  return {
    entry(entry: TarEntry | undefined): void {
      if (entry !== undefined && files.has(entry.path)) areWhole = false;
      isInFolder = entry?.type === 'file';
      next = isInFolder ? entry : undefined;
    },
    content(data: Buffer): void {
      if (!isInFolder) return void frames.push(data);
      if (next === undefined) return;
      closeFrames();
      records.push(fileRecord(next));
      files.add(next.path);
      next = undefined;
    },
    frame: (data: Buffer): void => void frames.push(data),
    areWhole: () => areWhole,
    take(): Buffer {
      closeFrames();
      const data = Buffer.concat(records);
      records = [];
      return data;
    },
  };
}

/** Writes the archive that a recipe describes. A file that is shorter or longer than it was shows in the digest. */
export async function writeByRecipe(recipe: string, o: { directory: string; sink: Sink }): Promise<void> {
  const source = createReadStream(recipe).pipe(createZstdDecompress());
  const reader = createRecordReader();
  const sink = flushedBy(MAX_PIECE_BYTES, o.sink);
  for await (const chunk of source) {
    for (const record of reader(chunk as Buffer)) {
      if (record.kind === 'bytes') sink.write(record.data);
      else await writeContent(record, { ...o, sink });
    }
  }
  await o.sink.flush();
}

/** Asked to flush, it waits until there is so much: a piece for each small file would be many. */
function flushedBy(bytes: number, sink: Sink): Sink {
  let written = 0;
  return {
    write(data) {
      written += data.length;
      sink.write(data);
    },
    async flush() {
      if (written < bytes) return;
      written = 0;
      await sink.flush();
    },
  };
}

type RecipeRecord =
  | { readonly kind: 'bytes'; readonly data: Buffer }
  | { readonly kind: 'file'; readonly size: number; readonly path: Buffer };

async function writeContent(
  { path, size }: { path: Buffer; size: number },
  o: { directory: string; sink: Sink },
): Promise<void> {
  const file = Buffer.concat([Buffer.from(`${o.directory}/`), path]);
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile() || stats.size !== size) return; // the digest will not be right
  if (size <= SMALL_FILE_BYTES) o.sink.write(readFileSync(file));
  else {
    for await (const chunk of createReadStream(file, { highWaterMark: MAX_PIECE_BYTES })) {
      o.sink.write(chunk as Buffer);
      await o.sink.flush();
    }
  }
  await o.sink.flush();
}

/** Takes pieces and gives the records that are complete with them. */
function createRecordReader(): (chunk: Buffer) => Generator<RecipeRecord> {
  let rest: Buffer = Buffer.alloc(0);
  return function* records(chunk) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let next = firstRecord(rest); next !== undefined; next = firstRecord(rest)) {
      rest = rest.subarray(next.length);
      yield next.record;
    }
  };
}

function firstRecord(data: Buffer): { record: RecipeRecord; length: number } | undefined {
  if (data.length < BYTES_HEAD_BYTES) return undefined;
  if (data[0] === BYTES) {
    const length = BYTES_HEAD_BYTES + data.readUInt32BE(1);
    if (data.length < length) return undefined;
    return { record: { kind: 'bytes', data: data.subarray(BYTES_HEAD_BYTES, length) }, length };
  }
  if (data[0] !== FILE) throw new Error('a recipe of a layer is broken');
  if (data.length < FILE_HEAD_BYTES) return undefined;
  const length = FILE_HEAD_BYTES + data.readUInt32BE(9);
  if (data.length < length) return undefined;
  const size = Number(data.readBigUInt64BE(1));
  return { record: { kind: 'file', size, path: data.subarray(FILE_HEAD_BYTES, length) }, length };
}

function bytesHead(length: number): Buffer {
  const head = Buffer.alloc(BYTES_HEAD_BYTES);
  head[0] = BYTES;
  head.writeUInt32BE(length, 1);
  return head;
}

function fileRecord({ path, size }: TarEntry): Buffer {
  const name = Buffer.from(path, 'latin1');
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  head[0] = FILE;
  head.writeBigUInt64BE(BigInt(size), 1);
  head.writeUInt32BE(name.length, 9);
  return Buffer.concat([head, name]);
}
