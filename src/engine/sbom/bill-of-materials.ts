import { hexOf } from '../../lib/oci/index.ts';
import type { ImageRecord, ImageStore } from '../image/index.ts';
import { collectPackages } from './collect-packages.ts';
import type { Subject } from './software.ts';

export const SBOM_FORMATS = ['cyclonedx-json', 'spdx-json'] as const;

export type SbomFormat = (typeof SBOM_FORMATS)[number];

export interface BillOfMaterials {
  readonly format: SbomFormat;
  /** As registries know it. */
  readonly mediaType: string;
  readonly text: string;
  readonly packages: number;
}

const MEDIA_TYPES: Readonly<Record<SbomFormat, string>> = {
  'cyclonedx-json': 'application/vnd.cyclonedx+json',
  'spdx-json': 'application/spdx+json',
};

/**
 * What Debian, npm and Python packages an image has. Reads names and package databases only; the libraries are loaded
 * at the first call.
 */
export async function billOfMaterials(
  images: Pick<ImageStore, 'layersOf'>,
  image: ImageRecord,
  o: { readonly format: SbomFormat; readonly signal?: AbortSignal },
): Promise<BillOfMaterials> {
  const packages = await collectPackages(images.layersOf(image.id), o.signal);
  const text =
    o.format === 'cyclonedx-json'
      ? (await import('./render-cyclonedx.ts')).renderCycloneDx(subjectOf(image), packages)
      : (await import('./render-spdx.ts')).renderSpdx(subjectOf(image), packages);
  return { format: o.format, mediaType: MEDIA_TYPES[o.format], text, packages: packages.length };
}

function subjectOf({ id, references, config }: ImageRecord): Subject {
  const created = config.created === undefined ? Number.NaN : Date.parse(config.created);
  return {
    id,
    name: references[0] ?? hexOf(id).slice(0, 12),
    createdAt: Number.isNaN(created) ? undefined : new Date(created),
  };
}
