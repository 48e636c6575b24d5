import type { Delivery } from '../delivery/rollout/index.ts';
import { UserError } from '../lib/errors.ts';
import type { EngineImages, ImageFilters, ImageSummary } from './engine-images.ts';
import { assertNotNeeded } from './needed-image.ts';

export interface PruneResult {
  readonly removed: readonly RemovedName[];
  readonly freedBytes: number;
}

/** An image that went, by its names, or by its id where it had none. */
export interface RemovedName {
  readonly id: string;
  readonly references: readonly string[];
}

interface Pruning {
  readonly engine: EngineImages;
  readonly delivery: Pick<Delivery, 'projects' | 'releases'>;
}

/** Removes images that no container was made of and no release may be started from: untagged ones, or all of them. */
export async function pruneUnused(
  { engine, delivery }: Pruning,
  request: { readonly all: boolean; readonly buildCache: boolean; readonly filters: ImageFilters },
): Promise<PruneResult> {
  const bytesBefore = await engine.layersBytes();
  const imagesBefore = await engine.images({ all: true });
  if (request.all) {
    const used = await engine.usedImages();
    const wanted = (await engine.images({ filters: request.filters })).filter(({ id }) => !used.has(id));
    for (const image of wanted) if (!(await isNeeded(delivery, image))) await removeNames(engine, image);
  }
  await engine.pruneDangling(request.filters);
  const cacheBytes = request.buildCache ? await engine.pruneBuildCache({ all: request.all }) : 0;
  const left = new Set((await engine.images({ all: true })).map(({ id }) => id));
  return {
    removed: imagesBefore.filter(({ id }) => !left.has(id)).map(({ id, references }) => ({ id, references })),
    freedBytes: Math.max(0, bytesBefore - (await engine.layersBytes()), cacheBytes),
  };
}

async function isNeeded(delivery: Pruning['delivery'], { id, references }: ImageSummary): Promise<boolean> {
  try {
    await assertNotNeeded(delivery, { name: id, id, references });
    return false;
  } catch (error) {
    if (error instanceof UserError && error.code === 'image-needed') return true;
    throw error;
  }
}

/** One that something began to use in the meantime stays. */
async function removeNames(engine: EngineImages, { references }: ImageSummary): Promise<void> {
  for (const reference of references) {
    try {
      await engine.removeReference(reference);
    } catch (error) {
      if (!(error instanceof UserError) || (error.kind !== 'conflict' && error.kind !== 'not-found')) throw error;
    }
  }
}
