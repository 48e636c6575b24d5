import {
  digestOf,
  familiarName,
  hexOf,
  parseReference,
  type Descriptor,
  type Digest,
  type Manifest,
} from '../../lib/oci/index.ts';

import type { Attachment } from './attachments.ts';
import { type Referrer, referrerOf } from './referrer.ts';

export interface SavedImage {
  readonly configBytes: Buffer;
  /** Bottom first. */
  readonly layers: readonly { readonly diffId: Digest; readonly tarBytes: number }[];
  /** Familiar `name:tag`: those that were asked for. */
  readonly references: readonly string[];
  /** Documents about it that go along, for readers of OCI layouts. */
  readonly attachments?: readonly Attachment[];
}

/** A member of the archive: bytes, or a layer that is written from the store. */
export type SavedMember =
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Buffer }
  | { readonly kind: 'layer'; readonly name: string; readonly diffId: Digest; readonly size: number };

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/**
 * The members of an archive that docker-archive readers (manifest.json) and OCI layout readers (index.json) both
 * take; layers are shared and not compressed.
 */
export function planSave(images: readonly SavedImage[]): readonly SavedMember[] {
  const blobs = new Map<string, SavedMember>();
  for (const image of images) for (const member of blobsOf(image)) blobs.set(member.name, member);
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: images.flatMap(descriptorsOf) };
  return [
    ...blobs.values(),
    document('index.json', index),
    document('manifest.json', images.map(dockerManifestOf)),
    document('oci-layout', { imageLayoutVersion: '1.0.0' }),
  ];
}

function blobsOf(image: SavedImage): readonly SavedMember[] {
  return [
    ...image.layers.map(({ diffId, tarBytes }): SavedMember => {
      return { kind: 'layer', name: blobName(diffId), diffId, size: tarBytes };
    }),
    blob(image.configBytes),
    blob(manifestBytes(image)),
    ...referrersOf(image).flatMap(({ manifest, blobs }) => [manifest, ...blobs].map(blob)),
  ];
}

function manifestBytes(image: SavedImage): Buffer {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: digestOf(image.configBytes), size: image.configBytes.length },
    layers: image.layers.map(({ diffId, tarBytes }) => ({ mediaType: LAYER_TYPE, digest: diffId, size: tarBytes })),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** One for each name, as containerd and Docker write it; one without a name where there is none. */
function descriptorsOf(image: SavedImage): readonly Descriptor[] {
  const bytes = manifestBytes(image);
  const plain: Descriptor = { mediaType: MANIFEST_TYPE, digest: digestOf(bytes), size: bytes.length };
  const documents = referrersOf(image).map(({ artifactType, mediaType, digest, manifest }): Descriptor => {
    return { mediaType, digest, size: manifest.length, artifactType };
  });
  if (image.references.length === 0) return [plain, ...documents];
  const named = image.references.map((name) => {
    const { domain, path, tag = 'latest' } = parseReference(name);
    const full = `${domain}/${path}:${tag}`;
    return { ...plain, annotations: { 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': tag } };
  });
  return [...named, ...documents];
}

function referrersOf(image: SavedImage): readonly Referrer[] {
  const bytes = manifestBytes(image);
  const subject = { mediaType: MANIFEST_TYPE, digest: digestOf(bytes), size: bytes.length };
  const name = image.references[0] ?? digestOf(image.configBytes);
  return (image.attachments ?? []).map((each) => referrerOf(each, { subject, name }));
}

function dockerManifestOf(image: SavedImage): object {
  return {
    Config: blobName(digestOf(image.configBytes)),
    RepoTags: image.references.length === 0 ? null : image.references,
    Layers: image.layers.map(({ diffId }) => blobName(diffId)),
  };
}

function blob(bytes: Buffer): SavedMember {
  return { kind: 'bytes', name: blobName(digestOf(bytes)), bytes };
}

function document(name: string, value: unknown): SavedMember {
  return { kind: 'bytes', name, bytes: Buffer.from(JSON.stringify(value)) };
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Whether a name means all tags of its repository: `debian`, but not `debian:bookworm` or an id. */
export function isRepositoryOnly(name: string): boolean {
  return !name.includes('@') && name.lastIndexOf(':') <= name.lastIndexOf('/');
}

export function repositoryOf(reference: string): string {
  return familiarName(parseReference(reference));
}
