import { UserError } from '../../lib/errors.ts';
import { familiarString, isDigest, parseReference, type Digest } from '../../lib/oci/index.ts';

/** Docker's words, which clients look for. */
export function imageNotFound(nameOrId: string): UserError {
  return new UserError({
    code: 'image-not-found',
    kind: 'not-found',
    message: `No such image: ${withTag(nameOrId)}`,
    fix: 'List the images with `bascule images`; make a base image with `bascule image bootstrap NAME`.',
  });
}

export function layerNotFound(diffId: Digest): UserError {
  return new UserError({
    code: 'layer-not-found',
    kind: 'not-found',
    message: `layer ${diffId} is not in the store`,
    fix: 'Build or load the image again.',
  });
}

/** Docker's words (daemon/images/image_delete.go). */
export function imageInUse(message: string, canBeForced: boolean): UserError {
  return new UserError({
    code: 'image-in-use',
    kind: 'conflict',
    message,
    fix: canBeForced ? 'Remove the containers first, or force the removal.' : 'Remove what depends on the image first.',
  });
}

function withTag(nameOrId: string): string {
  if (isDigest(nameOrId) || /^[0-9a-f]{64}$/.test(nameOrId)) return nameOrId;
  try {
    return familiarString(parseReference(nameOrId));
  } catch {
    return nameOrId;
  }
}

export function layerDamaged(diffId: Digest): UserError {
  return new UserError({
    code: 'layer-damaged',
    kind: 'failed',
    message: `the stored layer ${diffId} is not what its digest says: a file below the store was changed`,
    fix: 'Remove the image and build or load it again.',
  });
}
