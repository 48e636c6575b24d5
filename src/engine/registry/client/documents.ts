import { z } from 'zod';
import { isDigest, type Descriptor, type Digest, type Platform } from '../../../lib/oci/index.ts';
import { isImageType, isIndexType, layerTypeOf } from './media-types.ts';

/** A layer as a manifest names it; `urls`: where else it may be fetched from. */
export interface LayerDescriptor extends Descriptor {
  readonly urls?: readonly string[];
}

export type Document =
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] }
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly LayerDescriptor[] }
  | { readonly kind: 'other'; readonly mediaType: string };

const MAX_LAYERS = 500;
const digestText = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no sha256 digest');
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().nullish() });
const descriptor = z.object({
  mediaType: z.string().min(1),
  digest: digestText,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: platform.nullish(),
  urls: z.array(z.string()).nullish(),
});
const common = { schemaVersion: z.literal(2), mediaType: z.string().optional() };
const index = z.object({
  ...common,
  manifests: z.array(descriptor),
  layers: z.undefined().optional(),
  config: z.undefined().optional(),
});
const image = z.object({
  ...common,
  config: descriptor,
  layers: z.array(descriptor).max(MAX_LAYERS, `has more than ${MAX_LAYERS} layers`),
  manifests: z.undefined().optional(),
});

/**
 * Reads a manifest or an index; what could be taken for both is refused (CVE-2021-41190).
 * @param refuse makes the error out of what is wrong
 */
export function readDocument(
  o: { readonly bytes: Buffer; readonly mediaType: string },
  refuse: (what: string) => Error,
): Document {
  const isIndex = isIndexType(o.mediaType);
  if (!isIndex && !isImageType(o.mediaType)) return { kind: 'other', mediaType: o.mediaType };
  const value = parseJson(o.bytes, refuse);
  const checked = isIndex ? index.safeParse(value) : image.safeParse(value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw refuse(`its manifest is invalid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  const { mediaType } = checked.data;
  if (mediaType !== undefined && mediaType !== o.mediaType)
    throw refuse(`a manifest calls itself ${mediaType} and came as ${o.mediaType}`);
  if ('manifests' in checked.data && checked.data.manifests !== undefined)
    return { kind: 'index', manifests: checked.data.manifests.map(descriptorOf) };
  const { config, layers } = checked.data;
  const strange = layers.find((layer) => layerTypeOf(layer.mediaType) === undefined);
  if (strange !== undefined) return { kind: 'other', mediaType: strange.mediaType };
  return { kind: 'image', config: descriptorOf(config), layers: layers.map(layerOf) };
}

function parseJson(bytes: Buffer, refuse: (what: string) => Error): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw refuse('its manifest is not JSON');
  }
}

function descriptorOf(value: z.infer<typeof descriptor>): Descriptor {
  const { mediaType, digest, size } = value;
  return {
    ...{ mediaType, digest, size },
    ...(value.annotations == null ? {} : { annotations: value.annotations }),
    ...(value.platform == null ? {} : { platform: platformOf(value.platform) }),
  };
}

function layerOf(value: z.infer<typeof descriptor>): LayerDescriptor {
  return { ...descriptorOf(value), ...(value.urls == null ? {} : { urls: value.urls }) };
}

function platformOf({ os, architecture, variant }: z.infer<typeof platform>): Platform {
  return { os, architecture, ...(variant == null || variant === '' ? {} : { variant }) };
}
