import type { Digest, HistoryEntry } from '../../lib/oci/index.ts';
import type { Attachment, ImageRecord, Layer, LayerWaste } from '../image/index.ts';

/** What Bascule tells of an image beyond `GET /images/{name}/json`. */
export interface ImageDetails {
  readonly id: Digest;
  readonly references: readonly string[];
  readonly digests: readonly string[];
  readonly createdAt: string | undefined;
  readonly platform: string;
  readonly sizeBytes: number;
  readonly wastedBytes: number;
  readonly origin: ImageOrigin;
  /** What goes with it: provenance, bills of materials. */
  readonly documents: readonly { readonly artifactType: string; readonly sizeBytes: number }[];
  /** Bottom first. */
  readonly layers: readonly LayerDetails[];
}

/** As its labels tell it by OCI's names (Image Specification, Pre-Defined Annotation Keys), else its provenance. */
export interface ImageOrigin {
  readonly source?: string;
  readonly revision?: string;
  readonly baseName?: string;
  readonly baseDigest?: string;
}

export interface LayerDetails {
  readonly diffId: Digest;
  readonly sizeBytes: number;
  readonly createdBy: string;
  /** Of files that a later layer overwrites or deletes. */
  readonly wastedBytes: number;
  /** The largest of them; `layer` counts from 1, and is the one that made them useless. */
  readonly wasted: readonly { readonly path: string; readonly bytes: number; readonly layer: number }[];
}

const SHOWN_FILES = 5;

interface ImageFacts {
  /** Bottom first. */
  readonly layers: readonly Layer[];
  readonly waste: readonly LayerWaste[];
  readonly documents: readonly Attachment[];
}

export function imageDetails(image: ImageRecord, { layers, waste, documents }: ImageFacts): ImageDetails {
  const { config } = image;
  const { os, architecture, variant } = config;
  const commands = commandsOf(config.history ?? []);
  return {
    id: image.id,
    references: image.references,
    digests: image.repoDigests,
    createdAt: config.created,
    platform: [os, architecture, ...(variant === undefined ? [] : [variant])].join('/'),
    sizeBytes: image.sizeBytes,
    wastedBytes: waste.reduce((sum, { bytes }) => sum + bytes, 0),
    origin: originOf({ ...mergedAnnotations(documents), ...config.config?.Labels }),
    documents: documents.map(({ artifactType, content }) => ({ artifactType, sizeBytes: content.length })),
    layers: layers.map(({ diffId, sizeBytes }, index) => ({
      diffId,
      sizeBytes,
      createdBy: commands[index] ?? '',
      wastedBytes: waste[index]?.bytes ?? 0,
      wasted: (waste[index]?.files ?? [])
        .slice(0, SHOWN_FILES)
        .map(({ path, bytes, by }) => ({ path: Buffer.from(path, 'latin1').toString(), bytes, layer: by + 1 })),
    })),
  };
}

function mergedAnnotations(documents: readonly Attachment[]): Readonly<Record<string, string>> {
  return Object.fromEntries(documents.flatMap(({ annotations }) => Object.entries(annotations)));
}

/** Of each layer. */
function commandsOf(history: readonly HistoryEntry[]): readonly string[] {
  return history.filter((entry) => entry.empty_layer !== true).map((entry) => entry.created_by ?? '');
}

const KEYS = {
  source: 'org.opencontainers.image.source',
  revision: 'org.opencontainers.image.revision',
  baseName: 'org.opencontainers.image.base.name',
  baseDigest: 'org.opencontainers.image.base.digest',
} as const;

function originOf(labels: Readonly<Record<string, string>>): ImageOrigin {
  return Object.fromEntries(
    Object.entries(KEYS).flatMap(([name, label]) => (labels[label] === undefined ? [] : [[name, labels[label]]])),
  );
}
