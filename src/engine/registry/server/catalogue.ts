import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction, migrate } from '../../../lib/database.ts';
import type { ContentDigest } from './digests.ts';
import { CATALOGUE_SCHEMA } from './schema.ts';

/** Where the bytes of a blob are. */
export type BlobPlace = 'own' | 'engine';

export interface BlobRow {
  readonly digest: ContentDigest;
  readonly sizeBytes: number;
  readonly place: BlobPlace;
}

export interface ManifestRow {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a manifest names besides itself. */
export interface ManifestLinks {
  readonly blobs: readonly ContentDigest[];
  readonly manifests: readonly ContentDigest[];
}

export interface NewManifest extends ManifestRow {
  readonly links: ManifestLinks;
  readonly subject: ContentDigest | undefined;
  readonly artifactType: string | undefined;
  /** JSON of the manifest's annotations. */
  readonly annotations: string | undefined;
  readonly tag: string | undefined;
}

export interface ReferrerRow {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly artifactType: string | undefined;
  readonly annotations: string | undefined;
}

export interface UploadRow {
  readonly id: string;
  readonly repository: string;
  readonly touchedAt: number;
}

export interface Page {
  /** The most that are given. */
  readonly limit: number;
  /** Only what comes behind this one. */
  readonly last: string | undefined;
}

export interface TagRow {
  readonly tag: string;
  readonly digest: ContentDigest;
  readonly updatedAt: number;
}

type Value = string | number | null | Buffer;
type Row = Record<string, unknown>;

/**
 * The records of one registry. Every change is one transaction, and nothing here waits: what is checked and written in one
 * turn of the event loop is seen by others as one.
 */
export class Catalogue {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #now: () => number;

  constructor(database: DatabaseSync, now: () => number) {
    migrate(database, CATALOGUE_SCHEMA);
    this.#database = database;
    this.#now = now;
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.#database, work);
  }

  /** What `work` says, and nothing of what it did. */
  tryOut<T>(work: () => T): T {
    this.#database.exec('BEGIN');
    try {
      return work();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  isEmpty(): boolean {
    return this.#one('SELECT 1 FROM repository LIMIT 1') === undefined;
  }

  hasRepository(name: string): boolean {
    return this.#one('SELECT 1 FROM repository WHERE name = ?', name) !== undefined;
  }

  /** In lexical order. */
  repositories(page: Page): readonly string[] {
    const sql = 'SELECT name FROM repository WHERE name > ? ORDER BY name LIMIT ?';
    return this.#all(sql, page.last ?? '', page.limit).map((row) => String(row['name']));
  }

  /** Records that a blob is there, and that a repository has it. */
  addBlob(repository: string, blob: BlobRow): void {
    inTransaction(this.#database, () => {
      this.#run(
        `INSERT INTO blob VALUES (?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET size_bytes = excluded.size_bytes, place = excluded.place`,
        ...[blob.digest, blob.sizeBytes, blob.place, this.#now()],
      );
      this.#link(repository, blob.digest);
    });
  }

  /** Records that a repository has a blob that is there already. */
  linkBlob(repository: string, digest: ContentDigest): void {
    inTransaction(this.#database, () => this.#link(repository, digest));
  }

  #link(repository: string, digest: ContentDigest): void {
    this.#addRepository(repository);
    this.#run(
      `INSERT INTO blob_link VALUES (?, ?, ?)
       ON CONFLICT (repository, digest) DO UPDATE SET linked_at = excluded.linked_at`,
      ...[repository, digest, this.#now()],
    );
  }

  #addRepository(name: string): void {
    this.#run('INSERT INTO repository VALUES (?, ?) ON CONFLICT DO NOTHING', name, this.#now());
  }

  blob(digest: ContentDigest): BlobRow | undefined {
    const row = this.#one('SELECT * FROM blob WHERE digest = ?', digest);
    return row === undefined ? undefined : blobOf(row);
  }

  /** The blob, where the repository has it. */
  blobIn(repository: string, digest: ContentDigest): BlobRow | undefined {
    const sql = 'SELECT blob.* FROM blob JOIN blob_link USING (digest) WHERE repository = ? AND digest = ?';
    const row = this.#one(sql, repository, digest);
    return row === undefined ? undefined : blobOf(row);
  }

  /** Whether any repository has it. */
  isLinked(digest: ContentDigest): boolean {
    return this.#one('SELECT 1 FROM blob_link WHERE digest = ? LIMIT 1', digest) !== undefined;
  }

  repositoriesWith(digest: ContentDigest): readonly string[] {
    const sql = 'SELECT repository FROM blob_link WHERE digest = ?';
    return this.#all(sql, digest).map((row) => String(row['repository']));
  }

  /** False where the repository did not have it. */
  unlinkBlob(repository: string, digest: ContentDigest): boolean {
    return this.#run('DELETE FROM blob_link WHERE repository = ? AND digest = ?', repository, digest) > 0;
  }

  /** A client was told that it is there: it must not go before the client has named it in a manifest. */
  touchLink(repository: string, digest: ContentDigest): void {
    const sql = 'UPDATE blob_link SET linked_at = ? WHERE repository = ? AND digest = ?';
    this.#run(sql, this.#now(), repository, digest);
  }

  /** Stores a manifest and its tag; call it in the turn that has seen what it names. */
  putManifest(repository: string, manifest: NewManifest): void {
    const { digest, mediaType, bytes, links, subject, artifactType, annotations, tag } = manifest;
    this.#addRepository(repository);
    this.#run(
      `INSERT INTO manifest VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (repository, digest) DO UPDATE SET stored_at = excluded.stored_at`,
      ...[
        repository,
        digest,
        mediaType,
        bytes,
        subject ?? null,
        artifactType ?? null,
        annotations ?? null,
        this.#now(),
      ],
    );
    for (const [kind, digests] of Object.entries({ blob: links.blobs, manifest: links.manifests }))
      for (const named of digests)
        this.#run(
          'INSERT INTO manifest_names VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
          ...[repository, digest, kind, named],
        );
    if (tag !== undefined) this.setTag(repository, tag, digest);
  }

  /** The manifest is there. */
  setTag(repository: string, tag: string, digest: ContentDigest): void {
    this.#run(
      `INSERT INTO tag VALUES (?, ?, ?, ?)
       ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at`,
      ...[repository, tag, digest, this.#now()],
    );
  }

  manifest(repository: string, digest: ContentDigest): ManifestRow | undefined {
    const row = this.#one('SELECT * FROM manifest WHERE repository = ? AND digest = ?', repository, digest);
    if (row === undefined) return undefined;
    return { digest, mediaType: String(row['media_type']), bytes: Buffer.from(row['bytes'] as Uint8Array) };
  }

  digestOfTag(repository: string, tag: string): ContentDigest | undefined {
    const row = this.#one('SELECT digest FROM tag WHERE repository = ? AND name = ?', repository, tag);
    return row?.['digest'] as ContentDigest | undefined;
  }

  /** In lexical order without regard to case ("Listing Tags"). */
  tags(repository: string, { limit, last }: Page): readonly TagRow[] {
    const rows = this.#all(
      `SELECT name, digest, updated_at FROM tag WHERE repository = ?1
         AND (?2 IS NULL OR name COLLATE NOCASE > ?2 OR (name COLLATE NOCASE = ?2 AND name > ?2))
       ORDER BY name COLLATE NOCASE, name LIMIT ?3`,
      ...[repository, last ?? null, limit],
    );
    return rows.map((row) => ({
      tag: String(row['name']),
      digest: row['digest'] as ContentDigest,
      updatedAt: Number(row['updated_at']),
    }));
  }

  tagsOf(repository: string, digest: ContentDigest): readonly string[] {
    const sql = 'SELECT name FROM tag WHERE repository = ? AND digest = ? ORDER BY name';
    return this.#all(sql, repository, digest).map((row) => String(row['name']));
  }

  deleteTag(repository: string, tag: string): boolean {
    return this.#run('DELETE FROM tag WHERE repository = ? AND name = ?', repository, tag) > 0;
  }

  /** With its tags. */
  deleteManifest(repository: string, digest: ContentDigest): boolean {
    return this.#run('DELETE FROM manifest WHERE repository = ? AND digest = ?', repository, digest) > 0;
  }

  /** Manifests whose subject this is, in the order of their digests. */
  referrers(
    repository: string,
    o: {
      readonly subject: ContentDigest;
      readonly artifactType: string | undefined;
      readonly last: string | undefined;
    },
  ): Iterable<ReferrerRow> {
    const sql = `SELECT digest, media_type, length(bytes) AS size_bytes, artifact_type, annotations FROM manifest
       WHERE repository = ?1 AND subject = ?2 AND (?3 IS NULL OR artifact_type = ?3) AND digest > ?4 ORDER BY digest`;
    return this.#all(sql, repository, o.subject, o.artifactType ?? null, o.last ?? '').map(referrerOf);
  }

  insertUpload(id: string, repository: string): void {
    this.#run('INSERT INTO upload VALUES (?, ?, ?)', id, repository, this.#now());
  }

  upload(id: string): UploadRow | undefined {
    const row = this.#one('SELECT * FROM upload WHERE id = ?', id);
    return row === undefined ? undefined : uploadOf(row);
  }

  uploads(): readonly UploadRow[] {
    return this.#all('SELECT * FROM upload').map(uploadOf);
  }

  touchUpload(id: string): void {
    this.#run('UPDATE upload SET touched_at = ? WHERE id = ?', this.#now(), id);
  }

  deleteUpload(id: string): void {
    this.#run('DELETE FROM upload WHERE id = ?', id);
  }

  /** Manifests that no tag leads to: neither they, nor an index that names them, nor what they are referrers of. */
  untaggedManifests(before: number): readonly { readonly repository: string; readonly digest: ContentDigest }[] {
    const rows = this.#all(
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
    const rows = this.#all(
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
    return this.#all(sql, before).map(blobOf);
  }

  /** Forgets a blob, unless a repository has it by now. */
  forgetBlob(digest: ContentDigest): boolean {
    const sql = `DELETE FROM blob WHERE digest = ?
       AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_link.digest = blob.digest)`;
    return this.#run(sql, digest) > 0;
  }

  /** Repositories in which nothing is left. */
  deleteEmptyRepositories(before: number): number {
    return this.#run(
      `DELETE FROM repository WHERE created_at < ?
         AND NOT EXISTS (SELECT 1 FROM manifest WHERE manifest.repository = repository.name)
         AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_link.repository = repository.name)
         AND NOT EXISTS (SELECT 1 FROM upload WHERE upload.repository = repository.name)`,
      before,
    );
  }

  /** How much there is. */
  figures(): CatalogueFigures {
    const row = this.#one(
      `SELECT (SELECT count(*) FROM repository) AS repositories, (SELECT count(*) FROM manifest) AS manifests,
         (SELECT count(*) FROM tag) AS tags, (SELECT count(*) FROM upload) AS uploads,
         (SELECT count(*) FROM blob) AS blobs, (SELECT count(*) FROM blob WHERE place = 'engine') AS shared_blobs,
         (SELECT coalesce(sum(size_bytes), 0) FROM blob WHERE place = 'own') AS blob_bytes`,
    );
    const number = (name: string): number => Number(row?.[name] ?? 0);
    return {
      repositories: number('repositories'),
      manifests: number('manifests'),
      tags: number('tags'),
      uploads: number('uploads'),
      blobs: number('blobs'),
      sharedBlobs: number('shared_blobs'),
      blobBytes: number('blob_bytes'),
    };
  }

  #one(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#statement(sql).all(...values);
  }

  #run(sql: string, ...values: readonly Value[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

export interface CatalogueFigures {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly uploads: number;
  readonly blobs: number;
  /** Of them those that the engine's store has. */
  readonly sharedBlobs: number;
  /** Of those that the registry itself keeps. */
  readonly blobBytes: number;
}

function blobOf(row: Row): BlobRow {
  return {
    digest: row['digest'] as ContentDigest,
    sizeBytes: Number(row['size_bytes']),
    place: row['place'] as BlobPlace,
  };
}

function referrerOf(row: Row): ReferrerRow {
  return {
    digest: row['digest'] as ContentDigest,
    mediaType: String(row['media_type']),
    sizeBytes: Number(row['size_bytes']),
    artifactType: (row['artifact_type'] as string | null) ?? undefined,
    annotations: (row['annotations'] as string | null) ?? undefined,
  };
}

function uploadOf(row: Row): UploadRow {
  return { id: String(row['id']), repository: String(row['repository']), touchedAt: Number(row['touched_at']) };
}
