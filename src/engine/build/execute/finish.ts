import type { ImageConfig, Platform } from '../../../lib/oci/index.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { Session } from './session.ts';
import type { StageResult } from './stage-result.ts';

/** Registers the target stage as an image and gives it its tags. */
export async function registerImage(session: Session, result: StageResult, platform: Platform): Promise<ImageRecord> {
  const { images } = session.workshop.options;
  return images.register({
    config: imageConfigOf(result, { platform, now: session.now() }),
    references: session.request.tags,
    ...(result.baseImage === undefined ? {} : { parent: result.baseImage }),
  });
}

/** OCI Image Specification, Image Configuration. Pure. */
function imageConfigOf(
  { plan, layers, history, createdAt }: StageResult,
  { platform, now }: { readonly platform: Platform; readonly now: Date },
): ImageConfig {
  return {
    created: (createdAt ?? now).toISOString(),
    ...(plan.author === undefined ? {} : { author: plan.author }),
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: plan.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
  };
}
