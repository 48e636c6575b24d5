import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction, migrate, withoutSync } from '../../lib/database.ts';
import type { Digest, ImageConfig } from '../../lib/oci/index.ts';
import type { LayerBlob } from './face.ts';

const SCHEMA = {
  room: 'image',
  statements: [
    `CREATE TABLE layer (
       diff_id TEXT PRIMARY KEY,
       directory TEXT NOT NULL UNIQUE,   -- name inside layers/
       size_bytes INTEGER NOT NULL,
       tar_bytes INTEGER NOT NULL,
       has_original INTEGER NOT NULL,    -- the archive is kept as a blob: the folder does not give the same bytes
       unsynced_boot TEXT,               -- boot id, until the folder is known to be on the disk
       created_at INTEGER NOT NULL       -- ms since 1970
     ) STRICT;
     CREATE TABLE image (
       id TEXT PRIMARY KEY,
       config BLOB NOT NULL,             -- the bytes whose digest is the id
       parent TEXT,
       registered_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE image_reference (
       reference TEXT PRIMARY KEY,       -- familiar name:tag
       image_id TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE
     ) STRICT;
     CREATE INDEX image_reference_image ON image_reference (image_id);
     CREATE TABLE repo_digest (
       reference TEXT NOT NULL,          -- familiar name@digest
       image_id TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
       PRIMARY KEY (reference, image_id)
     ) STRICT;
     CREATE INDEX repo_digest_image ON repo_digest (image_id);`,
    `ALTER TABLE layer ADD COLUMN has_recipe INTEGER NOT NULL DEFAULT 0; -- the folder gives the bytes by a recipe
     CREATE TABLE layer_blob (
       diff_id TEXT NOT NULL REFERENCES layer (diff_id) ON DELETE CASCADE,
       digest TEXT NOT NULL,
       media_type TEXT NOT NULL,
       size_bytes INTEGER NOT NULL,
       repository TEXT NOT NULL,         -- that has the blob, e.g. docker.io/library/debian; '' where none is known
       PRIMARY KEY (diff_id, digest, repository)
     ) STRICT;`,
  ],
};

export interface LayerRow {
  readonly diffId: Digest;
  /** Name inside `layers/`. */
  readonly directory: string;
  readonly sizeBytes: number;
  readonly tarBytes: number;
  readonly hasOriginal: boolean;
  readonly hasRecipe: boolean;
  readonly unsyncedBoot: string | undefined;
  readonly createdAt: number;
}

export interface StoredImage {
  readonly id: Digest;
  readonly bytes: Buffer;
  readonly config: ImageConfig;
  readonly parent: Digest | undefined;
}

export interface NewImage {
  readonly id: Digest;
  readonly bytes: Buffer;
  readonly parent: Digest | undefined;
  readonly references: readonly string[];
}

type Row = Record<string, unknown>;

/** The rows of images and layers; configurations are parsed once. */
export class ImageRecords {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #images = new Map<Digest, StoredImage>();

  constructor(database: DatabaseSync) {
    migrate(database, SCHEMA);
    this.#database = database;
    for (const row of this.#rows('SELECT id, config, parent FROM image ORDER BY registered_at, rowid'))
      this.#remember(row);
  }

  /** Oldest first. */
  images(): readonly StoredImage[] {
    return [...this.#images.values()];
  }

  image(id: Digest): StoredImage | undefined {
    return this.#images.get(id);
  }

  /** Stores an image with its tags, which move here from others. An image that is there keeps its parent. */
  insertImage(image: NewImage): void {
    inTransaction(this.#database, () => {
      this.#run('INSERT INTO image VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING', [
        image.id,
        image.bytes,
        image.parent ?? null,
        Date.now(),
      ]);
      for (const reference of image.references) this.#setReference(image.id, reference);
    });
    if (this.#images.has(image.id)) return;
    this.#remember({ id: image.id, config: image.bytes, parent: image.parent ?? null });
  }

  deleteImage(id: Digest): void {
    this.#run('DELETE FROM image WHERE id = ?', [id]);
    this.#images.delete(id);
  }

  /** Sorted. */
  referencesOf(id: Digest): readonly string[] {
    return this.#texts('SELECT reference FROM image_reference WHERE image_id = ? ORDER BY reference', [id]);
  }

  repoDigestsOf(id: Digest): readonly string[] {
    return this.#texts('SELECT reference FROM repo_digest WHERE image_id = ? ORDER BY reference', [id]);
  }

  imageOfReference(reference: string): Digest | undefined {
    return this.#texts('SELECT image_id FROM image_reference WHERE reference = ?', [reference])[0] as
      | Digest
      | undefined;
  }

  imageOfRepoDigest(reference: string): Digest | undefined {
    return this.#texts('SELECT image_id FROM repo_digest WHERE reference = ?', [reference])[0] as Digest | undefined;
  }

  setReference(id: Digest, reference: string): void {
    this.#setReference(id, reference);
  }

  deleteReference(reference: string): void {
    this.#run('DELETE FROM image_reference WHERE reference = ?', [reference]);
  }

  addRepoDigest(id: Digest, reference: string): void {
    this.#run('INSERT INTO repo_digest VALUES (?, ?) ON CONFLICT DO NOTHING', [reference, id]);
  }

  deleteRepoDigest(id: Digest, reference: string): void {
    this.#run('DELETE FROM repo_digest WHERE reference = ? AND image_id = ?', [reference, id]);
  }

  layers(): readonly LayerRow[] {
    return this.#rows('SELECT * FROM layer').map(layerOf);
  }

  layer(diffId: Digest): LayerRow | undefined {
    const row = this.#rows('SELECT * FROM layer WHERE diff_id = ?', [diffId])[0];
    return row === undefined ? undefined : layerOf(row);
  }

  /** A power cut may lose the row, and the folder is swept then; the image that needs it is committed later. */
  insertLayer(layer: LayerRow): void {
    const { diffId, directory, sizeBytes, tarBytes, hasOriginal, unsyncedBoot, createdAt, hasRecipe } = layer;
    const values = [
      ...[diffId, directory, sizeBytes, tarBytes, Number(hasOriginal), unsyncedBoot ?? null, createdAt],
      Number(hasRecipe),
    ];
    withoutSync(this.#database, () => this.#run('INSERT INTO layer VALUES (?, ?, ?, ?, ?, ?, ?, ?)', values));
  }

  deleteLayer(diffId: Digest): void {
    this.#run('DELETE FROM layer WHERE diff_id = ?', [diffId]);
  }

  /** Nothing for a layer that is not there: nobody would ask. */
  insertBlob({ diffId, digest, mediaType, sizeBytes, repository }: LayerBlob): void {
    if (this.layer(diffId) === undefined) return;
    const values = [diffId, digest, mediaType, sizeBytes, repository ?? ''];
    withoutSync(this.#database, () => this.#run('INSERT OR REPLACE INTO layer_blob VALUES (?, ?, ?, ?, ?)', values));
  }

  /** The newest first. */
  blobsOf(diffId: Digest): readonly LayerBlob[] {
    return this.#rows('SELECT * FROM layer_blob WHERE diff_id = ? ORDER BY rowid DESC', [diffId]).map(blobOf);
  }

  markSynced(diffIds: readonly Digest[]): void {
    inTransaction(this.#database, () => {
      for (const diffId of diffIds) this.#run('UPDATE layer SET unsynced_boot = NULL WHERE diff_id = ?', [diffId]);
    });
  }

  #setReference(id: Digest, reference: string): void {
    this.#run(
      'INSERT INTO image_reference VALUES (?, ?) ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id',
      [reference, id],
    );
  }

  #remember(row: Row): void {
    const bytes = Buffer.from(row['config'] as Uint8Array);
    const id = row['id'] as Digest;
    const parent = (row['parent'] as Digest | null) ?? undefined;
    this.#images.set(id, { id, bytes, parent, config: parseConfig(bytes) });
  }

  #rows(sql: string, values: readonly (string | number)[] = []): Row[] {
    return this.#statement(sql).all(...values);
  }

  #texts(sql: string, values: readonly string[]): readonly string[] {
    return this.#rows(sql, values).map((row) => String(Object.values(row)[0]));
  }

  #run(sql: string, values: readonly (string | number | null | Buffer)[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

/** Some writers say `null` where they mean that a member is absent. */
function parseConfig(bytes: Buffer): ImageConfig {
  const members = Object.entries(JSON.parse(bytes.toString()) as object);
  return Object.fromEntries(members.filter(([, value]) => value !== null)) as unknown as ImageConfig;
}

function layerOf(row: Row): LayerRow {
  return {
    diffId: row['diff_id'] as Digest,
    directory: String(row['directory']),
    sizeBytes: Number(row['size_bytes']),
    tarBytes: Number(row['tar_bytes']),
    hasOriginal: row['has_original'] === 1,
    hasRecipe: row['has_recipe'] === 1,
    unsyncedBoot: (row['unsynced_boot'] as string | null) ?? undefined,
    createdAt: Number(row['created_at']),
  };
}

function blobOf(row: Row): LayerBlob {
  const repository = String(row['repository']);
  return {
    diffId: row['diff_id'] as Digest,
    digest: row['digest'] as Digest,
    mediaType: String(row['media_type']),
    sizeBytes: Number(row['size_bytes']),
    ...(repository === '' ? {} : { repository }),
  };
}
