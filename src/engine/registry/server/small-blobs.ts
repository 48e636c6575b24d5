import type { ContentDigest } from './digests.ts';

/** Larger ones are sent from the disk. */
const SMALL_BYTES = 64 * 1024;
const MOST_BYTES = 8 * 1024 * 1024;

interface Known {
  readonly sizeBytes: number;
  readonly content: Promise<Buffer>;
}

/**
 * Small blobs that were asked for lately, in memory: a file is opened, read and closed once for all who pull an image at the
 * same time. A digest has one content, so nothing here is ever out of date; who may read it is looked at before.
 */
export class SmallBlobs {
  /** The one that was asked for last stands at the end. */
  readonly #known = new Map<ContentDigest, Known>();
  #bytes = 0;

  /** @returns undefined for a blob that is not small */
  get(digest: ContentDigest, o: { readonly sizeBytes: number; read(): Promise<Buffer> }): Promise<Buffer> | undefined {
    if (o.sizeBytes > SMALL_BYTES) return undefined;
    const known = this.#known.get(digest) ?? this.#read(digest, o);
    this.#forget(digest, known);
    this.#known.set(digest, known);
    this.#bytes += known.sizeBytes;
    for (const [oldest, old] of this.#known) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest, old);
    }
    return known.content;
  }

  /** What cannot be read is asked for anew the next time. */
  #read(digest: ContentDigest, o: { readonly sizeBytes: number; read(): Promise<Buffer> }): Known {
    const known = { sizeBytes: o.sizeBytes, content: o.read() };
    known.content.catch(() => this.#forget(digest, known));
    return known;
  }

  #forget(digest: ContentDigest, known: Known): void {
    if (this.#known.get(digest) !== known) return;
    this.#known.delete(digest);
    this.#bytes -= known.sizeBytes;
  }
}
