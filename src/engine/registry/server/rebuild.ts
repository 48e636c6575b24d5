import type { Log } from '../../../lib/log.ts';
import type { Catalogue } from './catalogue.ts';
import { algorithmOf, digestOfBytes, type ContentDigest } from './digests.ts';
import { refusal, RegistryError } from './errors.ts';
import { readManifest } from './manifest.ts';
import { isRepositoryName } from './routes.ts';
import type { BlobStorage, StoredRecord } from './storage/face.ts';

/**
 * Fills an empty database with what stands beside the blobs: the machine was lost, the bucket was not. Blobs that no
 * manifest names are left to the next collection.
 */
export async function rebuild(
  catalogue: Catalogue,
  o: { readonly storage: BlobStorage; readonly log: Log },
): Promise<void> {
  if (o.storage.records === undefined || !catalogue.isEmpty()) return;
  const sizes = new Map<ContentDigest, number>();
  for await (const { digest, sizeBytes } of o.storage.list()) sizes.set(digest, sizeBytes);
  let count = 0;
  for await (const record of o.storage.records.list()) {
    restore(catalogue, record, { sizes, log: o.log });
    count += 1;
  }
  if (count > 0) o.log.info({ records: count }, 'registry: made anew of what stands beside the blobs');
}

function restore(
  catalogue: Catalogue,
  record: StoredRecord,
  o: { readonly sizes: ReadonlyMap<ContentDigest, number>; readonly log: Log },
): void {
  const { repository, digest } = record;
  try {
    if (!isRepositoryName(repository)) throw refusal('NAME_INVALID');
    if (record.kind === 'tag') return restoreTag(catalogue, { repository, digest, tag: record.tag });
    if (digestOfBytes(record.bytes, algorithmOf(digest)) !== digest) throw refusal('DIGEST_INVALID');
    const { links, subject, artifactType, annotations, mediaType } = readManifest(record.bytes, record.mediaType);
    for (const blob of links.blobs) {
      const sizeBytes = o.sizes.get(blob);
      if (sizeBytes !== undefined) catalogue.addBlob(repository, { digest: blob, sizeBytes, place: 'own' });
    }
    catalogue.transaction(() =>
      catalogue.putManifest(repository, {
        ...{ digest, mediaType, bytes: record.bytes, links, subject, artifactType, tag: undefined },
        annotations: annotations === undefined ? undefined : JSON.stringify(annotations),
      }),
    );
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    o.log.warn(
      { repository, digest, error: error.message },
      'registry: a manifest in the store is none, and is left out',
    );
  }
}

function restoreTag(
  catalogue: Catalogue,
  { repository, digest, tag }: { repository: string; digest: ContentDigest; tag: string },
): void {
  if (catalogue.manifest(repository, digest) !== undefined) catalogue.setTag(repository, tag, digest);
}
