import { type Delivery, imageNameOf, type ReleaseView } from '../delivery/rollout/index.ts';
import { UserError } from '../lib/errors.ts';

/** An image as somebody wants to remove it. */
export interface ImageRemoval {
  /** As it was called: a reference, or an id in full or in part. */
  readonly name: string;
  readonly id: string;
  /** Every reference that points at it. */
  readonly references: readonly string[];
}

/**
 * An image stays while a release may be started from it: under its last name, its id, and the name by which the release
 * keeps it.
 * @throws UserError `image-needed`
 */
export async function assertNotNeeded(
  delivery: Pick<Delivery, 'projects' | 'releases'>,
  removal: ImageRemoval,
): Promise<void> {
  const all = await Promise.all(delivery.projects().map((project) => delivery.releases(project)));
  const needed = all.flat().flatMap((release) => neededBy(release, removal));
  if (needed.length === 0) return;
  throw new UserError({
    code: 'image-needed',
    kind: 'conflict',
    message: `the image ${removal.name} is needed by ${needed.join(', ')}`,
    fix: 'Leave it: it goes by itself when its release leaves the rollback window. With --force it is removed, and that release can no longer be started.',
    details: { image: removal.id, releases: needed },
  });
}

const NEEDS_IMAGES = new Set<ReleaseView['state']>(['current', 'warm', 'candidate', 'kept']);

function neededBy(release: ReleaseView, removal: ImageRemoval): readonly string[] {
  if (!NEEDS_IMAGES.has(release.state)) return [];
  const isNeeded = release.services.some(
    ({ name: service, imageId }) =>
      imageId === removal.id &&
      (isLastOf(removal) ||
        withTag(removal.name) === imageNameOf({ project: release.project, release: release.number, service })),
  );
  return isNeeded ? [`release ${release.number} of ${release.project} (${release.state})`] : [];
}

/** By its id it goes with all its names. */
function isLastOf({ name, references }: ImageRemoval): boolean {
  const left = references.filter((reference) => reference !== withTag(name));
  return left.length === 0 || left.length === references.length;
}

function withTag(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).includes(':') ? name : `${name}:latest`;
}
