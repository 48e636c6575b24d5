import type { Blobs } from './blobs.ts';
import type { Catalogue } from './catalogue.ts';
import type { Collected, CollectOptions } from './face.ts';
import { removeManifest } from './handlers/manifests.ts';
import type { BlobStorage } from './storage/face.ts';
import type { Uploads } from './uploads.ts';

interface Rooms {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly storage: BlobStorage;
  readonly graceMs: number;
  readonly uploadExpiryMs: number;
}

/**
 * Garbage collection beside pushes. A manifest is stored in the turn that saw its blobs, and a blob is forgotten in the
 * turn that saw that nobody has it: no manifest ever names what is gone. The grace is for clients between their blobs and
 * their manifest, so that they need not begin anew.
 */
export async function collect(rooms: Rooms, o: CollectOptions): Promise<Collected> {
  const before = Date.now() - rooms.graceMs;
  return o.dryRun ? foresee(rooms, before, o) : await sweep(rooms, before, o);
}

async function sweep(rooms: Rooms, before: number, { untagged, signal }: CollectOptions): Promise<Collected> {
  const { catalogue, blobs, uploads, storage } = rooms;
  const manifests = untagged ? catalogue.garbage.untaggedManifests(before) : [];
  for (const { repository, digest } of manifests) {
    signal?.throwIfAborted();
    await removeManifest(
      { catalogue, records: storage.records },
      { repository, reference: { kind: 'digest', digest } },
    );
  }
  const expired = await uploads.expire(Date.now() - rooms.uploadExpiryMs);
  signal?.throwIfAborted();
  catalogue.transaction(() => {
    for (const { repository, digest } of catalogue.garbage.idleLinks(before)) catalogue.unlinkBlob(repository, digest);
  });
  const freed = { blobs: 0, bytes: 0 };
  for (const row of catalogue.garbage.unlinkedBlobs(before)) {
    signal?.throwIfAborted();
    if (!(await blobs.discard(row))) continue;
    freed.blobs += 1;
    freed.bytes += row.place === 'own' ? row.sizeBytes : 0;
  }
  for await (const { digest, sizeBytes, storedAt } of storage.list()) {
    signal?.throwIfAborted();
    if (storedAt.getTime() >= before || catalogue.blob(digest)?.place === 'own') continue;
    if (!(await blobs.sweep(digest))) continue;
    freed.blobs += 1;
    freed.bytes += sizeBytes;
  }
  const repositories = catalogue.garbage.deleteEmptyRepositories(before);
  return {
    manifests: manifests.length,
    blobs: freed.blobs,
    freedBytes: freed.bytes,
    uploads: expired.length,
    repositories,
  };
}

/** The same in a transaction that is taken back. */
function foresee({ catalogue, uploadExpiryMs }: Rooms, before: number, { untagged }: CollectOptions): Collected {
  const expiry = Date.now() - uploadExpiryMs;
  return catalogue.tryOut(() => {
    const manifests = untagged ? catalogue.garbage.untaggedManifests(before) : [];
    for (const { repository, digest } of manifests) catalogue.deleteManifest(repository, digest);
    for (const { repository, digest } of catalogue.garbage.idleLinks(before)) catalogue.unlinkBlob(repository, digest);
    const rows = catalogue.garbage.unlinkedBlobs(before);
    for (const { digest } of rows) catalogue.garbage.forgetBlob(digest);
    const freedBytes = rows.reduce((sum, { place, sizeBytes }) => sum + (place === 'own' ? sizeBytes : 0), 0);
    const uploads = catalogue.uploads.all().filter(({ touchedAt }) => touchedAt < expiry).length;
    const repositories = catalogue.garbage.deleteEmptyRepositories(before);
    return { manifests: manifests.length, blobs: rows.length, freedBytes, uploads, repositories };
  });
}
