import { createHash, type Hash } from 'node:crypto';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import type { Digest } from '../../lib/oci/index.ts';
import { cleanPath } from './layer-names.ts';
import { roomIn } from '../../lib/room.ts';
import { createTarParser, invalidArchive } from './tar-parser.ts';
import { textOf, type TarEntry } from './tar-entry.ts';

const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
const MAX_LINKS = 8;

export interface SpooledFile {
  /** On the disk, under a name of ours: names in the archive are only keys. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface SpooledArchive {
  /** Links inside the archive are followed. */
  find(name: string): SpooledFile | undefined;
  /** A JSON document. @throws UserError `archive-invalid` */
  readDocument(name: string): Promise<Buffer | undefined>;
}

interface OpenFile {
  readonly name: string;
  readonly path: string;
  readonly hash: Hash;
  size: number;
  pieces: Buffer[];
  handle: FileHandle | undefined;
  isComplete: boolean;
}

/** Writes an archive's members to numbered files in `directory`, with their digests. */
export async function spoolArchive(archive: Readable, directory: string): Promise<SpooledArchive> {
  const members = new ArchiveMembers(directory);
  const parser = createTarParser(members);
  let left = (await roomIn(directory)).bytes;
  try {
    for await (const chunk of archive) {
      left -= (chunk as Buffer).length;
      if (left < 0) throw invalidArchive('it is larger than what the disk has room for');
      parser.write(chunk as Buffer);
      await members.flush();
    }
    parser.end();
  } finally {
    await members.close();
  }
  return members;
}

class ArchiveMembers implements SpooledArchive {
  readonly #directory: string;
  readonly #files = new Map<string, SpooledFile>();
  readonly #links = new Map<string, string>();
  #open: OpenFile[] = [];
  #count = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  onEntry(entry: TarEntry): void {
    const name = textOf(cleanPath(entry.path));
    this.#files.delete(name);
    this.#links.delete(name);
    if (entry.type === 'symlink') this.#links.set(name, posix.join(posix.dirname(name), textOf(entry.linkTarget)));
    if (entry.type === 'hardlink') this.#links.set(name, textOf(cleanPath(entry.linkTarget)));
    if (entry.type !== 'file') return;
    const path = join(this.#directory, String(this.#count++));
    this.#open.push({
      name,
      path,
      hash: createHash('sha256'),
      size: 0,
      pieces: [],
      handle: undefined,
      isComplete: false,
    });
  }

  onData(data: Buffer): void {
    const file = this.#open.at(-1)!;
    file.hash.update(data);
    file.pieces.push(data);
    file.size += data.length;
  }

  onEntryEnd(): void {
    const file = this.#open.at(-1);
    if (file !== undefined) file.isComplete = true;
  }

  /** Brings to the disk what has come so far. */
  async flush(): Promise<void> {
    for (const file of this.#open) await this.#write(file);
    this.#open = this.#open.filter((file) => !file.isComplete);
  }

  async close(): Promise<void> {
    for (const file of this.#open) await file.handle?.close();
  }

  find(name: string): SpooledFile | undefined {
    let key = posix.normalize(name);
    for (let hops = 0; hops < MAX_LINKS; hops++) {
      const file = this.#files.get(key);
      if (file !== undefined) return file;
      key = this.#links.get(key) ?? '';
    }
    return undefined;
  }

  async readDocument(name: string): Promise<Buffer | undefined> {
    const file = this.find(name);
    if (file === undefined) return undefined;
    if (file.size > MAX_DOCUMENT_BYTES) throw invalidArchive(`"${name}" is larger than 8 MiB`);
    return readFile(file.path);
  }

  async #write(file: OpenFile): Promise<void> {
    file.handle ??= await open(file.path, 'wx', 0o600);
    if (file.pieces.length > 0) await file.handle.appendFile(Buffer.concat(file.pieces));
    file.pieces = [];
    if (!file.isComplete) return;
    await file.handle.close();
    file.handle = undefined;
    this.#files.set(file.name, { path: file.path, digest: `sha256:${file.hash.digest('hex')}`, size: file.size });
  }
}
