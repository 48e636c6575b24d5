import { messageOf, UserError } from '../../../lib/errors.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { Dockerfile } from '../dockerfile/parse.ts';
import type { BaseImage, BuildPlan, PlanInput } from '../plan/plan.ts';
import { planBuild } from '../plan/plan-build.ts';

/** Where images come from that the Dockerfile names. */
export interface ImageSource {
  find(name: string): ImageRecord | undefined;
  /** Undefined where there is no registry to ask. */
  readonly pull: ((name: string) => Promise<ImageRecord>) | undefined;
  /** Ask for each, whether it is here or not. */
  readonly isAlwaysPulled: boolean;
}

/** The planner met an image that is not here yet. */
class ImageWanted extends Error {
  readonly imageName: string;

  constructor(imageName: string) {
    super(`the image ${imageName} is wanted`);
    this.imageName = imageName;
  }
}

/**
 * Plans a build, and pulls the images that it needs and that are not here: those that can be told at once side by
 * side, the others (whose names come out of ONBUILD triggers, say) as they are met.
 */
export async function planWithImages(
  dockerfile: Dockerfile,
  input: Omit<PlanInput, 'findImage'>,
  source: ImageSource,
): Promise<BuildPlan> {
  const pulled = new Map<string, ImageRecord>();
  const failures = new Map<string, unknown>();
  const isHereEnough = !source.isAlwaysPulled || source.pull === undefined;
  const present = (name: string): ImageRecord | undefined =>
    pulled.get(name) ?? (isHereEnough ? source.find(name) : undefined);
  const fetch = async (name: string): Promise<void> => {
    try {
      const image = await source.pull?.(name);
      if (image !== undefined) pulled.set(name, image);
    } catch (error) {
      failures.set(name, error);
    }
  };
  const canFetch = (name: string): boolean => source.pull !== undefined && !failures.has(name);
  await Promise.all([...wantedImages(dockerfile, input, present)].filter(canFetch).map(fetch));
  for (;;) {
    try {
      return planBuild(dockerfile, {
        ...input,
        findImage(name) {
          const image = present(name);
          if (image !== undefined) return baseOf(image);
          if (canFetch(name)) throw new ImageWanted(name);
          return undefined;
        },
      });
    } catch (error) {
      if (!(error instanceof ImageWanted)) throw withFailure(error, failures);
      await fetch(error.imageName);
    }
  }
}

const UNKNOWN: BaseImage = {
  id: `sha256:${'0'.repeat(64)}`,
  config: { architecture: '', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
};

/** Names that a plan asks for and that are not here, as far as it gets without them. */
function wantedImages(
  dockerfile: Dockerfile,
  input: Omit<PlanInput, 'findImage'>,
  present: (name: string) => ImageRecord | undefined,
): ReadonlySet<string> {
  const wanted = new Set<string>();
  const findImage = (name: string): BaseImage => {
    const image = present(name);
    if (image === undefined) wanted.add(name);
    return image === undefined ? UNKNOWN : baseOf(image);
  };
  try {
    planBuild(dockerfile, { ...input, findImage });
  } catch {
    // told by the plan that counts
  }
  return wanted;
}

function baseOf({ id, config }: ImageRecord): BaseImage {
  return { id, config };
}

/** What the registry said of an image that is not here. */
function withFailure(error: unknown, failures: ReadonlyMap<string, unknown>): unknown {
  const [cause] = failures.values();
  if (cause === undefined || !(error instanceof UserError) || error.code !== 'image-not-found') return error;
  return new UserError({
    code: error.code,
    kind: cause instanceof UserError ? cause.kind : error.kind,
    message: error.message.replace(/$/m, () => `; pulling it failed: ${messageOf(cause)}`), // before the excerpt
    fix: cause instanceof UserError ? cause.fix : error.fix,
    details: error.details,
    cause,
  });
}
