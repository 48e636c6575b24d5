import { type ImageConfig, platformOfNode } from '../../../lib/oci/index.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { Session } from './session.ts';
import type { StageResult } from './stage-result.ts';

/** Registers the target stage as an image and gives it its tags. */
export async function registerImage(
  session: Session,
  result: StageResult,
  o: { readonly config: ImageConfig; readonly references: readonly string[] },
): Promise<ImageRecord> {
  const { images } = session.workshop.options;
  return await images.register({ ...o, ...(result.baseImage === undefined ? {} : { parent: result.baseImage }) });
}

/** OCI Image Specification, Image Configuration. */
export function imageConfigOf({ plan, layers, history, createdAt }: StageResult, session: Session): ImageConfig {
  const platform = platformOfNode(process.arch);
  return {
    created: (createdAt ?? session.now()).toISOString(),
    ...(plan.author === undefined ? {} : { author: plan.author }),
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: plan.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
  };
}
