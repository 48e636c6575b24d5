import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { systemCodeOf } from '../../../lib/errors.ts';
import type { Blobs } from './blobs.ts';
import type { Catalogue } from './catalogue.ts';
import type { BlobRow } from './garbage.ts';
import { algorithmOf, DigestOf, type ContentDigest } from './digests.ts';
import { refusal } from './errors.ts';
import { receive, type SyncTurn } from './receive.ts';
import { Turns } from './turns.ts';

const READ_BYTES = 256 * 1024;
/** Uploads that have begun and not ended. Real clients have a handful each, and those that went away are dropped. */
const MOST_OF_REPOSITORY = 1_000;
const MOST = 10_000;
/** Where there are so many, those to which nothing has come for so long go before their time. */
const PRESSED_MS = 3_600_000;

/** A chunk as it comes. */
export interface Chunk {
  readonly body: Readable;
  /** Where the client says that it begins; undefined: behind what is there. */
  readonly start: number | undefined;
  /** How long the client says that it is. */
  readonly sizeBytes: number | undefined;
}

/**
 * Uploads under way: a file and a row each, so that they go on after a restart. How much has come is the length of the
 * file. The digest is computed as the bytes come; after a restart, or a chunk that broke off, from the file at the end.
 */
export class Uploads {
  readonly #directory: string;
  readonly #catalogue: Catalogue;
  readonly #blobs: Blobs;
  readonly #limitBytes: number;
  readonly #turns = new Turns();
  readonly #syncTurn: SyncTurn = { isTaken: false };
  readonly #sums = new Map<string, { readonly sum: DigestOf; readonly offset: number }>();
  readonly #coming = new Map<string, AbortController>();

  private constructor(o: UploadsOptions) {
    this.#directory = o.directory;
    this.#catalogue = o.catalogue;
    this.#blobs = o.blobs;
    this.#limitBytes = o.limitBytes;
  }

  /** Removes files without a row, and rows without a file. */
  static async open(o: UploadsOptions): Promise<Uploads> {
    await mkdir(o.directory, { recursive: true, mode: 0o700 });
    const files = new Set(await readdir(o.directory));
    for (const { id } of o.catalogue.uploads.all()) if (!files.delete(id)) o.catalogue.uploads.delete(id);
    for (const name of files) await rm(join(o.directory, name), { recursive: true, force: true });
    return new Uploads(o);
  }

  /** Where files may be put that become blobs. */
  get directory(): string {
    return this.#directory;
  }

  /** @throws RegistryError `TOOMANYREQUESTS` where too many have begun and not ended */
  async begin(repository: string): Promise<string> {
    if (this.#areTooMany(repository)) await this.expire(Date.now() - PRESSED_MS);
    if (this.#areTooMany(repository)) throw tooManyUploads();
    const id = randomUUID();
    const file = await open(this.#path(id), 'wx', 0o600);
    await file.close();
    this.#catalogue.uploads.insert(id, repository);
    return id;
  }

  #areTooMany(repository: string): boolean {
    const { here, all } = this.#catalogue.uploads.count(repository);
    return here >= MOST_OF_REPOSITORY || all >= MOST;
  }

  /** How many bytes have come. @throws RegistryError `BLOB_UPLOAD_UNKNOWN` */
  async offset(repository: string, id: string): Promise<number> {
    if (this.#catalogue.uploads.find(id)?.repository !== repository) throw unknown(id);
    try {
      return (await stat(this.#path(id))).size;
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') throw unknown(id);
      throw error;
    }
  }

  /**
   * Appends a chunk. One that still comes on an older connection is broken off: its client has gone, or it would not send
   * another. What has come of a chunk that breaks off stays.
   * @returns how many bytes there are now
   * @throws RegistryError `BLOB_UPLOAD_UNKNOWN`; `BLOB_UPLOAD_INVALID` with status 416 for a chunk that is not the next; `SIZE_INVALID`
   */
  async append(repository: string, id: string, chunk: Chunk): Promise<number> {
    this.#coming.get(id)?.abort();
    const stop = new AbortController();
    this.#coming.set(id, stop);
    try {
      return await this.#turns.take(id, async () => {
        const offset = await this.offset(repository, id);
        if (chunk.start !== undefined && chunk.start !== offset) throw outOfOrder(offset);
        if (offset + (chunk.sizeBytes ?? 0) > this.#limitBytes) throw tooLarge(this.#limitBytes);
        await this.#write(id, { ...chunk, offset, signal: stop.signal });
        this.#catalogue.uploads.touch(id);
        return await this.offset(repository, id);
      });
    } finally {
      if (this.#coming.get(id) === stop) this.#coming.delete(id);
    }
  }

  async #write(id: string, o: Chunk & { readonly offset: number; readonly signal: AbortSignal }): Promise<void> {
    const sum = this.#sumAt(id, o.offset);
    this.#sums.delete(id);
    let at = o.offset;
    const onData = (data: Buffer): void => {
      at += data.length;
      if (at > this.#limitBytes) throw tooLarge(this.#limitBytes);
      sum?.update(data);
    };
    await receive(o.body, { path: this.#path(id), turn: this.#syncTurn, signal: o.signal, onData });
    if (o.sizeBytes !== undefined && at - o.offset !== o.sizeBytes)
      throw refusal('SIZE_INVALID', { detail: { told: o.sizeBytes, came: at - o.offset } });
    if (sum !== undefined) this.#sums.set(id, { sum, offset: at });
  }

  /** Of what is there, where all of it went by. */
  #sumAt(id: string, offset: number): DigestOf | undefined {
    if (offset === 0) return new DigestOf('sha256');
    const known = this.#sums.get(id);
    return known?.offset === offset ? known.sum : undefined;
  }

  /**
   * Ends an upload: it becomes a blob of the repository. A chunk that still comes is broken off.
   * @throws RegistryError `BLOB_UPLOAD_UNKNOWN`; `DIGEST_INVALID`, after which the upload is gone
   */
  async finish(repository: string, id: string, digest: ContentDigest): Promise<BlobRow> {
    this.#coming.get(id)?.abort();
    return await this.#turns.take(id, async () => {
      const sizeBytes = await this.offset(repository, id);
      const found = await this.#digest(id, { digest, sizeBytes });
      if (found !== digest) {
        await this.#remove(id);
        throw refusal('DIGEST_INVALID', { detail: { digest, found } });
      }
      const row = await this.#blobs.add(repository, { digest, path: this.#path(id), sizeBytes });
      this.#forget(id);
      return row;
    });
  }

  async #digest(id: string, o: { digest: ContentDigest; sizeBytes: number }): Promise<ContentDigest> {
    const algorithm = algorithmOf(o.digest);
    const sum = this.#sumAt(id, o.sizeBytes);
    this.#sums.delete(id);
    if (sum?.algorithm === algorithm) return sum.digest();
    const anew = new DigestOf(algorithm);
    for await (const data of createReadStream(this.#path(id), { highWaterMark: READ_BYTES }))
      anew.update(data as Buffer);
    return anew.digest();
  }

  /** @throws RegistryError `BLOB_UPLOAD_UNKNOWN` */
  async cancel(repository: string, id: string): Promise<void> {
    this.#coming.get(id)?.abort();
    await this.#turns.take(id, async () => {
      await this.offset(repository, id);
      await this.#remove(id);
    });
  }

  /** Removes uploads that nothing has come to since. @returns their ids */
  async expire(before: number): Promise<readonly string[]> {
    const old = this.#catalogue.uploads
      .all()
      .filter(({ id, touchedAt }) => touchedAt < before && !this.#coming.has(id));
    for (const { id } of old) await this.#turns.take(id, () => this.#remove(id));
    return old.map(({ id }) => id);
  }

  async #remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
    this.#forget(id);
  }

  #forget(id: string): void {
    this.#sums.delete(id);
    this.#catalogue.uploads.delete(id);
  }

  #path(id: string): string {
    return join(this.#directory, id);
  }
}

interface UploadsOptions {
  readonly directory: string;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  /** The largest blob that is taken. */
  readonly limitBytes: number;
}

function unknown(id: string): Error {
  return refusal('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } });
}

/** The handler adds where to go on. */
function outOfOrder(offset: number): Error {
  return refusal('BLOB_UPLOAD_INVALID', {
    status: 416,
    message: 'that is not the next chunk',
    detail: { next: offset },
  });
}

function tooManyUploads(): Error {
  const message = 'too many uploads have begun and not ended: end them, or wait until they are dropped';
  return refusal('TOOMANYREQUESTS', { message, headers: { 'retry-after': '60' } });
}

function tooLarge(limitBytes: number): Error {
  return refusal('SIZE_INVALID', { status: 413, message: `blobs of more than ${limitBytes} bytes are not taken` });
}
