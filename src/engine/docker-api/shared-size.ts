import type { Digest } from '../../lib/oci/index.ts';
import type { ImageStore } from '../image/index.ts';

/** Looks up the bytes of an image's layers that another image has, too. */
export function sharedBytesOf(images: Pick<ImageStore, 'list' | 'layersOf'>): (id: Digest) => number {
  const users = new Map<Digest, number>();
  for (const { id } of images.list()) {
    for (const diffId of new Set(images.layersOf(id).map((layer) => layer.diffId)))
      users.set(diffId, (users.get(diffId) ?? 0) + 1);
  }
  return (id) =>
    images
      .layersOf(id)
      .filter(({ diffId }) => (users.get(diffId) ?? 0) > 1)
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
