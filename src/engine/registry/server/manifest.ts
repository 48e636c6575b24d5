import { z } from 'zod';
import { isContentDigest, type ContentDigest } from './digests.ts';
import { refusal } from './errors.ts';
import type { ManifestLinks } from './catalogue.ts';

/** "Pushing Manifests": what clients and registries should at least expect; more is refused. */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;

const IMAGES = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const INDEXES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);

/** What the registry needs to know of a manifest. */
export interface ManifestFacts {
  readonly mediaType: string;
  /** What must be there; layers that are fetched from elsewhere (`urls`) are not among them. */
  readonly links: ManifestLinks;
  readonly subject: ContentDigest | undefined;
  /** Of its own, else the media type of its configuration ("Pushing Manifests with Subject"). */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

const descriptor = z.object({
  mediaType: z.string().min(1),
  digest: z.string().refine(isContentDigest, 'is no digest'),
  size: z.number().int().nonnegative(),
  urls: z.array(z.string()).nullish(),
});
const common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  subject: descriptor.nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
};
const imageSchema = z.object({ ...common, config: descriptor, layers: z.array(descriptor) });
const indexSchema = z.object({ ...common, manifests: z.array(descriptor) });

/**
 * Reads a manifest that somebody pushes.
 * @param contentType of the request; without one the manifest's own `mediaType` counts
 * @throws RegistryError `MANIFEST_INVALID`
 */
export function readManifest(bytes: Buffer, contentType: string | undefined): ManifestFacts {
  const body = parse(bytes);
  const mediaType = mediaTypeOf(body, contentType);
  if (IMAGES.has(mediaType)) return imageFacts(mediaType, checked(imageSchema, body));
  if (INDEXES.has(mediaType)) return indexFacts(mediaType, checked(indexSchema, body));
  throw refusal('MANIFEST_INVALID', {
    message: `manifests of the media type ${mediaType} are not taken`,
    detail: { mediaType, taken: [...IMAGES, ...INDEXES] },
  });
}

function imageFacts(mediaType: string, image: z.output<typeof imageSchema>): ManifestFacts {
  const blobs = [image.config, ...image.layers.filter((layer) => !isElsewhere(layer))];
  return {
    mediaType,
    links: { blobs: unique(blobs.map(({ digest }) => digest)), manifests: [] },
    subject: image.subject?.digest,
    artifactType: image.artifactType ?? image.config.mediaType,
    annotations: image.annotations ?? undefined,
  };
}

function indexFacts(mediaType: string, index: z.output<typeof indexSchema>): ManifestFacts {
  return {
    mediaType,
    links: { blobs: [], manifests: unique(index.manifests.map(({ digest }) => digest)) },
    subject: index.subject?.digest,
    artifactType: index.artifactType,
    annotations: index.annotations ?? undefined,
  };
}

/** Layers that may not be given away are fetched from where they are. */
function isElsewhere({ mediaType, urls }: z.output<typeof descriptor>): boolean {
  const isForeign = mediaType.includes('.foreign.') || mediaType.includes('nondistributable');
  return isForeign || (urls ?? []).length > 0;
}

function parse(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw refusal('MANIFEST_INVALID', { message: 'the manifest is no JSON object' });
}

function mediaTypeOf(body: Record<string, unknown>, contentType: string | undefined): string {
  const told = contentType?.split(';')[0]?.trim().toLowerCase();
  const own = body['mediaType'];
  if (told === undefined || told === '') {
    if (typeof own === 'string') return own;
    throw refusal('MANIFEST_INVALID', { message: 'neither Content-Type nor the manifest says its media type' });
  }
  if (own === undefined || own === told) return told;
  throw refusal('MANIFEST_INVALID', {
    message: 'the media type in the manifest is not that of Content-Type',
    detail: { manifest: own, contentType: told },
  });
}

/** An answer need not be larger than what was asked. */
const MOST_TOLD = 100;

function checked<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const reasons = result.error.issues
    .slice(0, MOST_TOLD)
    .map(({ path, message }) => ({ path: path.join('.'), message }));
  const isDigest = reasons.some(({ path }) => path.endsWith('digest'));
  const said = reasons.map(({ path, message }) => `${path}: ${message}`).join('; ');
  throw refusal(isDigest ? 'DIGEST_INVALID' : 'MANIFEST_INVALID', { message: said, detail: reasons });
}

function unique(digests: readonly ContentDigest[]): readonly ContentDigest[] {
  return [...new Set(digests)];
}
