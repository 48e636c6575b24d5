import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, withoutSync } from '../../lib/database.ts';
import type { Digest } from '../../lib/oci/index.ts';

/** A document about an image that goes where the image goes: in registries a referrer (OCI Distribution 1.1). */
export interface Attachment {
  /** Says what it is; an image has one of each. */
  readonly artifactType: string;
  readonly content: Buffer;
  /** Of its manifest, by OCI's names where there is one. */
  readonly annotations: Readonly<Record<string, string>>;
}

export const IN_TOTO = 'application/vnd.in-toto+json';

export interface Attachments {
  /** Instead of the one of this type. Does not wait for the disk: what a power cut takes is made again by the next build. */
  attach(id: Digest, attachment: Attachment): void;
  /** Sorted by type. */
  attachmentsOf(id: Digest): readonly Attachment[];
}

const SCHEMA = {
  room: 'image-attachments',
  statements: [
    `CREATE TABLE image_attachment (
       image_id TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
       artifact_type TEXT NOT NULL,
       annotations TEXT NOT NULL,        -- JSON
       content BLOB NOT NULL,
       PRIMARY KEY (image_id, artifact_type)
     ) STRICT;`,
  ],
};

/** @param database in which the tables of images are */
export function openAttachments(database: DatabaseSync): Attachments {
  migrate(database, SCHEMA);
  const insert = database.prepare('INSERT OR REPLACE INTO image_attachment VALUES (?, ?, ?, ?)');
  const select = database.prepare(
    'SELECT artifact_type, annotations, content FROM image_attachment WHERE image_id = ? ORDER BY artifact_type',
  );
  return {
    attach(id, { artifactType, annotations, content }) {
      withoutSync(database, () =>
        inTransaction(database, () => insert.run(id, artifactType, JSON.stringify(annotations), content)),
      );
    },
    attachmentsOf: (id) =>
      select.all(id).map((row) => ({
        artifactType: String(row['artifact_type']),
        annotations: JSON.parse(String(row['annotations'])) as Record<string, string>,
        content: Buffer.from(row['content'] as Uint8Array),
      })),
  };
}

/**
 * The bytes as they are given away: a statement of in-toto names what it is about, which in a registry is the manifest
 * (in-toto Attestation Framework, Statement v1), here the image's configuration.
 */
export function contentFor(
  { artifactType, content }: Attachment,
  subject: { readonly name: string; readonly digest: Digest },
): Buffer {
  if (artifactType !== IN_TOTO) return content;
  const [algorithm = '', hex = ''] = subject.digest.split(':');
  const statement = JSON.parse(content.toString('utf8')) as object;
  return Buffer.from(
    `${JSON.stringify({ ...statement, subject: [{ name: subject.name, digest: { [algorithm]: hex } }] }, undefined, 2)}\n`,
  );
}
