import { rm, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Catalogue } from './catalogue.ts';
import type { BlobRow } from './garbage.ts';
import type { ContentDigest } from './digests.ts';
import type { ByteRange } from './ranges.ts';
import type { SharedContent } from './shared-content.ts';
import { SmallBlobs } from './small-blobs.ts';
import type { BlobStorage } from './storage/face.ts';
import { Turns } from './turns.ts';

/** A verified file that becomes a blob. */
export interface NewBlob {
  readonly digest: ContentDigest;
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * The blobs of all repositories: what the registry keeps itself, and what the engine's store has. A blob's bytes and its
 * row change in one turn for each digest, bytes first when it comes, row first when it goes: a crash in between leaves bytes
 * without a row, which the next collection sweeps.
 */
export class Blobs {
  readonly #catalogue: Catalogue;
  readonly #storage: BlobStorage;
  readonly #shared: SharedContent | undefined;
  readonly #turns = new Turns();
  readonly #small = new SmallBlobs();

  constructor(o: { catalogue: Catalogue; storage: BlobStorage; shared: SharedContent | undefined }) {
    this.#catalogue = o.catalogue;
    this.#storage = o.storage;
    this.#shared = o.shared;
  }

  /** The blob as the repository has it. */
  find(repository: string, digest: ContentDigest): BlobRow | undefined {
    const row = this.#catalogue.blobIn(repository, digest);
    return row === undefined || this.#isThere(row) ? row : undefined;
  }

  /**
   * Gives a repository a blob of the engine's store. For those only who may push there: the digest is all they show.
   * @returns undefined where the store has nothing of this digest
   */
  async adoptShared(repository: string, digest: ContentDigest): Promise<BlobRow | undefined> {
    const shared = this.#shared?.find(digest);
    if (shared === undefined) return undefined;
    const known = this.#catalogue.blob(digest);
    if (known !== undefined && this.#isThere(known)) {
      this.#catalogue.linkBlob(repository, digest);
      return known;
    }
    if (shared.kind === 'layer') {
      const row: BlobRow = { digest, sizeBytes: shared.sizeBytes, place: 'engine' };
      this.#catalogue.addBlob(repository, row);
      return row;
    }
    // an image's configuration goes with the image, and it is small: the registry keeps its own
    const copy = await this.#shared!.copyConfig(digest);
    return await this.add(repository, { digest, ...copy });
  }

  /** Gives a repository a blob that another one has. */
  mount(repository: string, o: { readonly digest: ContentDigest; readonly from: string }): BlobRow | undefined {
    const row = this.find(o.from, o.digest);
    if (row !== undefined) this.#catalogue.linkBlob(repository, o.digest);
    return row;
  }

  /** The file is gone afterwards. Of two that push the same blob, one stores it. */
  async add(repository: string, blob: NewBlob): Promise<BlobRow> {
    return await this.#turns.take(blob.digest, async () => {
      const known = this.#catalogue.blob(blob.digest);
      if (known !== undefined && this.#isThere(known)) {
        await rm(blob.path, { force: true });
        this.#catalogue.linkBlob(repository, blob.digest);
        return known;
      }
      await this.#storage.take(blob.digest, blob);
      const row: BlobRow = { digest: blob.digest, sizeBytes: blob.sizeBytes, place: 'own' };
      this.#catalogue.addBlob(repository, row);
      return row;
    });
  }

  async read(row: BlobRow, o: { readonly range?: ByteRange; readonly signal: AbortSignal }): Promise<Readable> {
    if (row.place === 'engine' && this.#shared !== undefined)
      return this.#shared.read(row.digest, { ...o, sizeBytes: row.sizeBytes });
    return await this.#storage.read(row.digest, o);
  }

  /** All of a small blob that the registry keeps itself; undefined for others. */
  small(row: BlobRow): Promise<Buffer> | undefined {
    return row.place === 'own' ? this.#small.get(row.digest, { ...row, read: () => this.#readWhole(row) }) : undefined;
  }

  /** For all who ask for it: that one of them goes does not end it. */
  async #readWhole(row: BlobRow): Promise<Buffer> {
    const bytes = await buffer(await this.#storage.read(row.digest, { signal: new AbortController().signal }));
    if (bytes.length === row.sizeBytes) return bytes;
    throw new Error(`the blob ${row.digest} has ${bytes.length} bytes and should have ${row.sizeBytes}`);
  }

  /** The blob as a file, where it is one: the caller closes it. */
  async open(row: BlobRow): Promise<FileHandle | undefined> {
    return row.place === 'own' ? await this.#storage.open?.(row.digest) : undefined;
  }

  /** Deletes a blob that no repository has. @returns whether it went */
  async discard(row: BlobRow): Promise<boolean> {
    return await this.#turns.take(row.digest, async () => {
      if (!this.#catalogue.garbage.forgetBlob(row.digest)) return false;
      if (row.place === 'own') await this.#storage.remove(row.digest);
      return true;
    });
  }

  /** Deletes bytes that have no row. */
  async sweep(digest: ContentDigest): Promise<boolean> {
    return await this.#turns.take(digest, async () => {
      if (this.#catalogue.blob(digest)?.place === 'own') return false;
      await this.#storage.remove(digest);
      return true;
    });
  }

  /** A layer that was removed from the engine's store behind our back is not there. */
  #isThere(row: BlobRow): boolean {
    return row.place === 'own' || this.#shared?.find(row.digest) !== undefined;
  }
}
