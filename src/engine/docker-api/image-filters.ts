import { familiarName, parseReference, type Digest } from '../../lib/oci/index.ts';
import type { ImageRecord } from '../image/index.ts';
import type { Filters } from './filters.ts';
import { matchesGlob } from './matching.ts';

export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

export interface ImageListRequest {
  readonly filters: Filters;
  /** With those that only serve as a base of others. */
  readonly all: boolean;
  readonly until: Date | undefined;
}

export interface ImageLookups {
  /** @throws UserError `image-not-found` */
  get(name: string): ImageRecord;
  hasChildren(id: Digest): boolean;
}

/** The images that `GET /images/json` lists, newest first. */
export function selectImages(
  images: readonly ImageRecord[],
  request: ImageListRequest,
  lookups: ImageLookups,
): readonly ImageRecord[] {
  const { filters } = request;
  const before = filters.has('before') ? lookups.get(filters.get('before')[0] ?? '').createdAt : request.until;
  const since = filters.has('since') ? lookups.get(filters.get('since')[0] ?? '').createdAt : undefined;
  const isDangling = (image: ImageRecord): boolean => image.references.length === 0 && !lookups.hasChildren(image.id);
  const isIntermediate = (image: ImageRecord): boolean =>
    image.references.length === 0 && image.repoDigests.length === 0 && lookups.hasChildren(image.id);
  return images
    .filter((image) => request.all || !isIntermediate(image))
    .filter((image) => (filters.flag('dangling') ?? isDangling(image)) === isDangling(image))
    .filter((image) => filters.matchLabels(image.config.config?.Labels ?? {}))
    .filter((image) => before === undefined || image.createdAt < before)
    .filter((image) => since === undefined || image.createdAt > since)
    .flatMap((image) => byReference(image, filters))
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

/** The image with those of its names that the `reference` filter matches; none where no name does. */
function byReference(image: ImageRecord, filters: Filters): readonly ImageRecord[] {
  if (!filters.has('reference')) return [image];
  const isNamed = (name: string): boolean => filters.some('reference', (pattern) => matchesReference(name, pattern));
  const references = image.references.filter(isNamed);
  const repoDigests = image.repoDigests.filter(isNamed);
  return references.length + repoDigests.length === 0 ? [] : [{ ...image, references, repoDigests }];
}

/** A pattern without a tag matches every tag (distribution/reference `FamiliarMatch`). */
function matchesReference(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern) || matchesGlob(familiarName(parseReference(name)), pattern);
}
