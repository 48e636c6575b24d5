import type { DatabaseSync } from 'node:sqlite';
import type { ContentDigest } from './digests.ts';
import { figuresOf, type CatalogueFigures } from './figures.ts';
import { blobOf, Garbage, type BlobRow } from './garbage.ts';
import { Statements, type Row } from './statements.ts';
import { UploadRecords } from './upload-records.ts';

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

/** Links are not touched more often: each time is a write. */
const TOUCH_MS = 10_000;

/**
 * The records of one registry. Every change is one transaction, and nothing here waits: what is checked and written in one
 * turn of the event loop is seen by others as one.
 */
export class Catalogue {
  readonly uploads: UploadRecords;
  readonly garbage: Garbage;
  readonly #records: Statements;
  readonly #now: () => number;

  constructor(database: DatabaseSync, now: () => number) {
    this.#records = new Statements(database);
    this.uploads = new UploadRecords(this.#records, now);
    this.garbage = new Garbage(this.#records);
    this.#now = now;
  }

  transaction<T>(work: () => T): T {
    return this.#records.transaction(work);
  }

  /** What `work` says, and nothing of what it did. */
  tryOut<T>(work: () => T): T {
    return this.#records.tryOut(work);
  }

  isEmpty(): boolean {
    return this.#records.one('SELECT 1 FROM repository LIMIT 1') === undefined;
  }

  hasRepository(name: string): boolean {
    return this.#records.one('SELECT 1 FROM repository WHERE name = ?', name) !== undefined;
  }

  /** In lexical order. */
  repositories(page: Page): readonly string[] {
    const sql = 'SELECT name FROM repository WHERE name > ? ORDER BY name LIMIT ?';
    return this.#records.all(sql, page.last ?? '', page.limit).map((row) => String(row['name']));
  }

  /** Records that a blob is there, and that a repository has it. */
  addBlob(repository: string, blob: BlobRow): void {
    this.#records.transaction(() => {
      this.#records.run(
        `INSERT INTO blob VALUES (?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET size_bytes = excluded.size_bytes, place = excluded.place`,
        ...[blob.digest, blob.sizeBytes, blob.place, this.#now()],
      );
      this.#link(repository, blob.digest);
    });
  }

  /** Records that a repository has a blob that is there already. */
  linkBlob(repository: string, digest: ContentDigest): void {
    this.#records.transaction(() => this.#link(repository, digest));
  }

  #link(repository: string, digest: ContentDigest): void {
    this.#addRepository(repository);
    this.#records.run(
      `INSERT INTO blob_link VALUES (?, ?, ?)
       ON CONFLICT (repository, digest) DO UPDATE SET linked_at = excluded.linked_at`,
      ...[repository, digest, this.#now()],
    );
  }

  #addRepository(name: string): void {
    this.#records.run('INSERT INTO repository VALUES (?, ?) ON CONFLICT DO NOTHING', name, this.#now());
  }

  blob(digest: ContentDigest): BlobRow | undefined {
    const row = this.#records.one('SELECT * FROM blob WHERE digest = ?', digest);
    return row === undefined ? undefined : blobOf(row);
  }

  /** The blob, where the repository has it. */
  blobIn(repository: string, digest: ContentDigest): BlobRow | undefined {
    const sql = 'SELECT blob.* FROM blob JOIN blob_link USING (digest) WHERE repository = ? AND digest = ?';
    const row = this.#records.one(sql, repository, digest);
    return row === undefined ? undefined : blobOf(row);
  }

  /** Whether some repository has it as the engine's. */
  needsOfEngine(digest: ContentDigest): boolean {
    const sql = "SELECT 1 FROM blob JOIN blob_link USING (digest) WHERE digest = ? AND place = 'engine' LIMIT 1";
    return this.#records.one(sql, digest) !== undefined;
  }

  repositoriesWith(digest: ContentDigest): readonly string[] {
    const sql = 'SELECT repository FROM blob_link WHERE digest = ?';
    return this.#records.all(sql, digest).map((row) => String(row['repository']));
  }

  /** False where the repository did not have it. */
  unlinkBlob(repository: string, digest: ContentDigest): boolean {
    return this.#records.run('DELETE FROM blob_link WHERE repository = ? AND digest = ?', repository, digest) > 0;
  }

  /** A client was told that it is there: it must not go before the client has named it in a manifest. */
  touchLink(repository: string, digest: ContentDigest): void {
    const now = this.#now();
    const sql = 'UPDATE blob_link SET linked_at = ? WHERE repository = ? AND digest = ? AND linked_at < ?';
    this.#records.runWithoutSync(sql, now, repository, digest, now - TOUCH_MS);
  }

  /** Stores a manifest and its tag; call it in the turn that has seen what it names. */
  putManifest(repository: string, manifest: NewManifest): void {
    const { digest, mediaType, bytes, links, subject, artifactType, annotations, tag } = manifest;
    this.#addRepository(repository);
    this.#records.run(
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
        this.#records.run(
          'INSERT INTO manifest_names VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
          ...[repository, digest, kind, named],
        );
    if (tag !== undefined) this.setTag(repository, tag, digest);
  }

  /** The manifest is there. */
  setTag(repository: string, tag: string, digest: ContentDigest): void {
    this.#records.run(
      `INSERT INTO tag VALUES (?, ?, ?, ?)
       ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at`,
      ...[repository, tag, digest, this.#now()],
    );
  }

  manifest(repository: string, digest: ContentDigest): ManifestRow | undefined {
    const row = this.#records.one('SELECT * FROM manifest WHERE repository = ? AND digest = ?', repository, digest);
    if (row === undefined) return undefined;
    return { digest, mediaType: String(row['media_type']), bytes: Buffer.from(row['bytes'] as Uint8Array) };
  }

  /** Without reading it. */
  hasManifest(repository: string, digest: ContentDigest): boolean {
    return (
      this.#records.one('SELECT 1 FROM manifest WHERE repository = ? AND digest = ?', repository, digest) !== undefined
    );
  }

  digestOfTag(repository: string, tag: string): ContentDigest | undefined {
    const row = this.#records.one('SELECT digest FROM tag WHERE repository = ? AND name = ?', repository, tag);
    return row?.['digest'] as ContentDigest | undefined;
  }

  /** In lexical order without regard to case ("Listing Tags"). */
  tags(repository: string, { limit, last }: Page): readonly TagRow[] {
    const rows = this.#records.all(
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
    return this.#records.all(sql, repository, digest).map((row) => String(row['name']));
  }

  deleteTag(repository: string, tag: string): boolean {
    return this.#records.run('DELETE FROM tag WHERE repository = ? AND name = ?', repository, tag) > 0;
  }

  /** With its tags. */
  deleteManifest(repository: string, digest: ContentDigest): boolean {
    return this.#records.run('DELETE FROM manifest WHERE repository = ? AND digest = ?', repository, digest) > 0;
  }

  /** Manifests whose subject this is, in the order of their digests; read as they are asked for. */
  *referrers(
    repository: string,
    o: {
      readonly subject: ContentDigest;
      readonly artifactType: string | undefined;
      readonly last: string | undefined;
    },
  ): Generator<ReferrerRow> {
    const sql = `SELECT digest, media_type, length(bytes) AS size_bytes, artifact_type, annotations FROM manifest
       WHERE repository = ?1 AND subject = ?2 AND (?3 IS NULL OR artifact_type = ?3) AND digest > ?4 ORDER BY digest`;
    for (const row of this.#records.each(sql, repository, o.subject, o.artifactType ?? null, o.last ?? ''))
      yield referrerOf(row);
  }

  /** How much there is. */
  figures(): CatalogueFigures {
    return figuresOf(this.#records);
  }
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
