import { chainIdOf, type Digest } from '../../lib/oci/index.ts';

/**
 * Chain ids of layers that no image has any more once one is gone, top first: `docker rmi` names them after the image
 * (moby daemon/images/image_delete.go).
 * @param kept diffIDs of the images that are left, bottom first
 */
export function releasedLayers(diffIds: readonly Digest[], kept: readonly (readonly Digest[])[]): readonly Digest[] {
  const needed = new Set(kept.flatMap(chainsOf));
  return chainsOf(diffIds).filter((chain) => !needed.has(chain));
}

/** Top first. */
function chainsOf(diffIds: readonly Digest[]): readonly Digest[] {
  return diffIds.flatMap((_, index) => chainIdOf(diffIds.slice(0, index + 1)) ?? []).toReversed();
}
