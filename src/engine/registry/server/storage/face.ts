import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ContentDigest } from '../digests.ts';
import type { ByteRange } from '../ranges.ts';

export interface StoredBlob {
  readonly digest: ContentDigest;
  readonly sizeBytes: number;
  readonly storedAt: Date;
}

/** Where blobs are kept. Callers change one digest at a time. */
export interface BlobStorage {
  readonly kind: 'file-system' | 's3';
  /** The bytes of a blob that is there, or some of them. */
  read(digest: ContentDigest, o: { readonly range?: ByteRange; readonly signal: AbortSignal }): Promise<Readable>;
  /** The file itself, where there is one: the caller closes it. */
  open?(digest: ContentDigest): Promise<FileHandle>;
  /**
   * Takes a whole and verified file that is on the disk. When this has returned, the blob survives a power cut, and the
   * file is gone.
   */
  take(digest: ContentDigest, file: { readonly path: string; readonly sizeBytes: number }): Promise<void>;
  /** Where it is not there, does nothing. */
  remove(digest: ContentDigest): Promise<void>;
  /** All that is there. */
  list(): AsyncIterable<StoredBlob>;
  /** Where the records themselves are kept beside the blobs. */
  readonly records?: RecordStorage;
}

/** One record: a manifest, or a tag. */
export type StoredRecord =
  | {
      readonly kind: 'manifest';
      readonly repository: string;
      readonly digest: ContentDigest;
      readonly mediaType: string;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'tag'; readonly repository: string; readonly tag: string; readonly digest: ContentDigest };

export type RecordName =
  | { readonly kind: 'manifest'; readonly repository: string; readonly digest: ContentDigest }
  | { readonly kind: 'tag'; readonly repository: string; readonly tag: string };

/** Records that outlive the machine: a registry with an empty database is made anew of them. */
export interface RecordStorage {
  put(record: StoredRecord): Promise<void>;
  remove(name: RecordName): Promise<void>;
  /** Manifests before tags. */
  list(): AsyncIterable<StoredRecord>;
}
