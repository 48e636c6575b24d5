import {
  digestOf,
  familiarString,
  isDigest,
  type Descriptor,
  type Digest,
  type ImageConfig,
  type Platform,
  type Reference,
} from '../../../lib/oci/index.ts';
import { readDocument, type LayerDescriptor } from './documents.ts';
import { blobBytes, bodyOf, checkedDigest, fromFirst } from './download.ts';
import { invalidAnswer, manifestUnknown, noImage, platformText, platformUnknown, schema1 } from './errors.ts';
import type { FetchedManifest } from './face.ts';
import { ACCEPTED_MANIFESTS, isConfigType, isSchema1Type } from './media-types.ts';
import { choosePlatform } from './platforms.ts';
import type { Repository } from './repository.ts';
import type { RetryLimits } from './retry.ts';

/** OCI Distribution Specification, "Pushing Manifests": what registries take at least; no image needs more. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
/** An index may name an index; deeper ones are a game. */
const MAX_DEPTH = 3;

export interface Source {
  readonly reference: Reference;
  /** Mirrors first, the registry itself last. */
  readonly repositories: readonly Repository[];
  readonly retry: RetryLimits;
  readonly signal?: AbortSignal;
}

/** A manifest for a platform, found by way of what the reference names. */
export interface FoundImage {
  readonly root: FetchedManifest;
  readonly platforms: readonly Platform[];
  readonly manifest: FetchedManifest;
  readonly config: Descriptor;
  readonly layers: readonly LayerDescriptor[];
}

export async function findImage(source: Source, wanted: Platform): Promise<FoundImage> {
  const name = familiarString(source.reference);
  const root = await fetchManifest(source, targetOf(source.reference));
  let platforms: readonly Platform[] | undefined;
  let manifest = root;
  for (let depth = 0; ; depth++) {
    const document = readDocument(manifest, (what) => refused(source, what));
    if (document.kind === 'other') throw noImage(name, document.mediaType);
    if (document.kind === 'image') {
      if (!isConfigType(document.config.mediaType)) throw noImage(name, document.config.mediaType);
      return { root, platforms: platforms ?? [], manifest, config: document.config, layers: document.layers };
    }
    if (depth >= MAX_DEPTH) throw refused(source, `its index names indexes more than ${MAX_DEPTH} deep`);
    const known = document.manifests
      .map(({ platform }) => platform)
      .filter((it) => it !== undefined && it.os !== 'unknown');
    platforms ??= known as readonly Platform[];
    const chosen = choosePlatform(document.manifests, wanted);
    if (chosen === undefined) throw platformUnknown(name, { wanted, offered: platforms.map(platformText) });
    manifest = await fetchManifest(source, chosen.digest, chosen);
  }
}

function targetOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? 'latest';
}

/** @param target a tag or a digest */
export async function fetchManifest(source: Source, target: string, promised?: Descriptor): Promise<FetchedManifest> {
  const wanted = checkedDigest(target);
  return await fromFirst(source.repositories, async (repository) => {
    const answer = await repository.call({
      method: 'GET',
      at: `manifests/${target}`,
      headers: { accept: promised === undefined ? ACCEPTED_MANIFESTS : `${promised.mediaType}, ${ACCEPTED_MANIFESTS}` },
      expect: [200, 404],
      what: `the manifest of ${familiarString(source.reference)}`,
      ...(source.signal === undefined ? {} : { signal: source.signal }),
    });
    if (answer.status === 404) {
      answer.body.destroy();
      throw manifestUnknown(familiarString(source.reference));
    }
    const what = `the manifest of ${familiarString(source.reference)}`;
    const bytes = await bodyOf(repository, { answer, maxBytes: MAX_MANIFEST_BYTES, what });
    const mediaType = mediaTypeOf(answer.headers['content-type'], bytes);
    if (isSchema1Type(mediaType)) throw schema1(familiarString(source.reference));
    const said = checkedDigest(answer.headers['docker-content-digest'] as string | undefined);
    return verified({ mediaType, digest: digestOf(bytes), bytes }, { source, digest: wanted ?? said, promised });
  });
}

function verified(
  manifest: FetchedManifest,
  o: { source: Source; digest: Digest | undefined; promised: Descriptor | undefined },
): FetchedManifest {
  const { digest, bytes, mediaType } = manifest;
  if (o.digest !== undefined && o.digest !== digest)
    throw refused(o.source, `a manifest should be ${o.digest} and is ${digest}`);
  if (o.promised === undefined) return manifest;
  if (o.promised.size !== bytes.length)
    throw refused(o.source, `a manifest should have ${o.promised.size} bytes and has ${bytes.length}`);
  if (o.promised.mediaType !== mediaType)
    throw refused(o.source, `a manifest should be of the type ${o.promised.mediaType} and is ${mediaType}`);
  return manifest;
}

/** Servers of plain files do not say it, but the document does. */
function mediaTypeOf(header: string | undefined, bytes: Buffer): string {
  const type = header?.split(';')[0]?.trim() ?? '';
  if (type !== '' && type !== 'application/json' && type !== 'application/octet-stream' && type !== 'text/plain')
    return type;
  try {
    const { mediaType } = JSON.parse(bytes.toString()) as { mediaType?: unknown };
    return typeof mediaType === 'string' ? mediaType : type;
  } catch {
    return type;
  }
}

export async function fetchConfig(source: Source, config: Descriptor): Promise<{ bytes: Buffer; value: ImageConfig }> {
  if (config.size > MAX_CONFIG_BYTES)
    throw refused(source, `its configuration has more than ${MAX_CONFIG_BYTES} bytes`);
  const bytes = await fetchBlob(source, config);
  try {
    return { bytes, value: JSON.parse(bytes.toString()) as ImageConfig };
  } catch {
    throw refused(source, 'its configuration is not JSON');
  }
}

/** With the layers that it has, where it says none at all. */
export function checkedConfig(config: ImageConfig, o: { source: Source; layers: number }): ImageConfig {
  const diffIds: unknown = (config as Partial<ImageConfig> | null)?.rootfs?.diff_ids ?? [];
  const isConfig = typeof config?.os === 'string' && typeof config.architecture === 'string';
  if (!isConfig || !Array.isArray(diffIds) || !diffIds.every((it) => typeof it === 'string' && isDigest(it)))
    throw refused(o.source, 'its configuration is none of an image');
  if (diffIds.length !== o.layers)
    throw refused(o.source, `its manifest has ${o.layers} layers and its configuration ${diffIds.length}`);
  return { ...config, rootfs: { type: 'layers', diff_ids: diffIds } };
}

/** A small blob, whole. */
export async function fetchBlob(source: Source, blob: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer> {
  return await fromFirst(source.repositories, async (repository) => {
    const { retry, signal } = source;
    const chunks: Buffer[] = [];
    for await (const chunk of blobBytes({ repository, blob, retry, ...(signal && { signal }) })) chunks.push(chunk);
    return Buffer.concat(chunks);
  });
}

export function refused({ repositories }: Pick<Source, 'repositories'>, what: string): Error {
  return invalidAnswer(repositories.at(-1)!.registry, what);
}
