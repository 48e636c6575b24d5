import type { ContentDigest } from './digests.ts';
import type { Row, Statements } from './statements.ts';

/** Where the bytes of a blob are. */
export type BlobPlace = 'own' | 'engine';

export interface BlobRow {
  readonly digest: ContentDigest;
  readonly sizeBytes: number;
  readonly place: BlobPlace;
}

/** What nothing needs any more. */
export class Garbage {
  readonly #records: Statements;

  constructor(records: Statements) {
    this.#records = records;
  }

  /** Manifests that no tag leads to: neither they, nor an index that names them, nor what they are referrers of. */
  untaggedManifests(before: number): readonly { readonly repository: string; readonly digest: ContentDigest }[] {
    const rows = this.#records.all(
      `WITH RECURSIVE kept (repository, digest) AS (
         SELECT repository, digest FROM tag
         UNION SELECT repository, digest FROM manifest WHERE stored_at >= ?1
         UNION SELECT named.repository, named.named FROM kept
           JOIN manifest_names named ON named.repository = kept.repository AND named.digest = kept.digest AND named.kind = 'manifest'
         UNION SELECT manifest.repository, manifest.digest FROM kept
           JOIN manifest ON manifest.repository = kept.repository AND manifest.subject = kept.digest)
       SELECT repository, digest FROM manifest EXCEPT SELECT repository, digest FROM kept`,
      before,
    );
    return rows.map((row) => ({ repository: String(row['repository']), digest: row['digest'] as ContentDigest }));
  }

  /** Links that no manifest of their repository needs, and that nobody has asked for since. */
  idleLinks(before: number): readonly { readonly repository: string; readonly digest: ContentDigest }[] {
    const rows = this.#records.all(
      `SELECT repository, digest FROM blob_link WHERE linked_at < ?1 AND NOT EXISTS (
         SELECT 1 FROM manifest_names named
         WHERE named.repository = blob_link.repository AND named.named = blob_link.digest AND named.kind = 'blob')`,
      before,
    );
    return rows.map((row) => ({ repository: String(row['repository']), digest: row['digest'] as ContentDigest }));
  }

  /** Blobs that no repository has. */
  unlinkedBlobs(before: number): readonly BlobRow[] {
    const sql = `SELECT * FROM blob WHERE stored_at < ?
       AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_link.digest = blob.digest)`;
    return this.#records.all(sql, before).map(blobOf);
  }

  /** Forgets a blob, unless a repository has it by now. */
  forgetBlob(digest: ContentDigest): boolean {
    const sql = `DELETE FROM blob WHERE digest = ?
       AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_link.digest = blob.digest)`;
    return this.#records.run(sql, digest) > 0;
  }

  /** Repositories in which nothing is left. */
  deleteEmptyRepositories(before: number): number {
    return this.#records.run(
      `DELETE FROM repository WHERE created_at < ?
         AND NOT EXISTS (SELECT 1 FROM manifest WHERE manifest.repository = repository.name)
         AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_link.repository = repository.name)
         AND NOT EXISTS (SELECT 1 FROM upload WHERE upload.repository = repository.name)`,
      before,
    );
  }
}

export function blobOf(row: Row): BlobRow {
  return {
    digest: row['digest'] as ContentDigest,
    sizeBytes: Number(row['size_bytes']),
    place: row['place'] as BlobPlace,
  };
}
