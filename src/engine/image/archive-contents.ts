import { z } from 'zod';
import { UserError } from '../../lib/errors.ts';
import { familiarString, isDigest, parseReference, type Digest } from '../../lib/oci/index.ts';
import { invalidArchive } from './tar-parser.ts';

/** What an archive offers: names of its members, for `load` to fetch and verify. */
export interface ArchivedImage {
  readonly config: ArchivedBlob;
  /** Bottom first; compressed or not. */
  readonly layers: readonly ArchivedBlob[];
  /** Familiar `name:tag`. */
  readonly references: readonly string[];
}

export interface ArchivedBlob {
  readonly name: string;
  /** Of the member as it is in the archive, where the archive promises one. */
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
}

export interface ParsedConfig {
  readonly diffIds: readonly Digest[];
}

type ReadDocument = (name: string) => Promise<Buffer | undefined>;

const digestText = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no sha256 digest');
/** As a registry may give. */
const MOST_LAYERS = 500;
const dockerManifest = z.array(
  z.object({
    ...{ Config: z.string(), RepoTags: z.array(z.string()).nullish() },
    Layers: z.array(z.string()).max(MOST_LAYERS).nullish(),
  }),
);
const descriptor = z.object({
  mediaType: z.string().default(''),
  digest: digestText,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: z.object({ os: z.string(), architecture: z.string() }).nullish(),
  /** Of what is no image: a signature, a bill of materials. */
  artifactType: z.string().nullish(),
});
const ociIndex = z.object({ manifests: z.array(descriptor) });
const ociManifest = z.object({ config: descriptor, layers: z.array(descriptor).max(MOST_LAYERS) });
const text = z.string().nullish();
const words = z.array(z.string()).nullish();
const named = z.record(z.string(), z.unknown()).nullish();
const time = z
  .string()
  .refine((value) => !Number.isNaN(Date.parse(value)), 'is no time')
  .nullish();
/** What readers of images rely on; one that is otherwise would break every list that it is in. */
const imageConfig = z.object({
  os: z.string().default('linux'),
  created: time,
  rootfs: z.object({ type: z.literal('layers').optional(), diff_ids: z.array(digestText).nullish() }),
  history: z.array(z.object({ created: time, created_by: text, comment: text })).nullish(),
  config: z
    .object({
      ...{ Env: words, Cmd: words, Entrypoint: words, OnBuild: words, Shell: words },
      ...{ WorkingDir: text, User: text, StopSignal: text, ExposedPorts: named, Volumes: named },
      Labels: z.record(z.string(), z.string()).nullish(),
      Healthcheck: z.object({ Test: words }).nullish(),
    })
    .nullish(),
});
type OciDescriptor = z.infer<typeof descriptor>;

const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MAX_DEPTH = 4;

/**
 * The images of a docker-archive (moby image specification 1.2, "Combined Image JSON + Filesystem Changeset Format")
 * or, where there is no manifest.json, of an OCI layout (OCI Image Specification, Image Layout).
 * @throws UserError `archive-invalid`
 */
export async function readArchiveContents(read: ReadDocument, architecture: string): Promise<readonly ArchivedImage[]> {
  const docker = await read('manifest.json');
  if (docker !== undefined) return parse(dockerManifest, docker, 'manifest.json').map(dockerImage);
  const index = await read('index.json');
  if (index === undefined)
    throw invalidArchive('it holds neither a manifest.json nor an index.json, so it is no image');
  const { manifests } = parse(ociIndex, index, 'index.json');
  const images: ArchivedImage[] = [];
  const entries = manifests.filter(({ artifactType }) => artifactType == null || artifactType === '');
  if (entries.length === 0) throw invalidArchive('it holds documents, but no image');
  for (const entry of entries) images.push(await ociImage(entry, { read, architecture, depth: 0 }));
  return images;
}

/** @throws UserError `archive-invalid`, `image-os-unsupported` */
export function parseArchivedConfig(bytes: Buffer, layerCount: number): ParsedConfig {
  const { diffIds } = parseImageConfig(bytes);
  if (diffIds.length !== layerCount) {
    throw invalidArchive(
      `an image names ${diffIds.length} layers in its configuration and ${layerCount} in its manifest`,
    );
  }
  return { diffIds };
}

/** @throws UserError `archive-invalid`, `image-os-unsupported` */
export function parseImageConfig(bytes: Buffer): ParsedConfig {
  const { os, rootfs } = parse(imageConfig, bytes, 'image configuration');
  if (os === 'linux') return { diffIds: rootfs.diff_ids ?? [] };
  throw new UserError({
    code: 'image-os-unsupported',
    kind: 'unsupported',
    message: `image operating system "${os}" cannot be used on this platform`,
    fix: 'Use an image for Linux.',
  });
}

function dockerImage(image: z.infer<typeof dockerManifest>[number]): ArchivedImage {
  return {
    config: contentNamed(image.Config),
    layers: (image.Layers ?? []).map(contentNamed),
    references: (image.RepoTags ?? []).map((tag) => familiarString(parseReference(tag))),
  };
}

/** `<hex>.json` and `blobs/sha256/<hex>` promise their digest. */
function contentNamed(name: string): ArchivedBlob {
  const hex = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  return { name, digest: hex === undefined ? undefined : `sha256:${hex}`, size: undefined };
}

async function ociImage(
  entry: OciDescriptor,
  o: { read: ReadDocument; architecture: string; depth: number },
): Promise<ArchivedImage> {
  const bytes = await o.read(blobName(entry.digest));
  if (bytes === undefined) throw invalidArchive(`the manifest ${entry.digest} is missing`);
  if (INDEX_TYPES.includes(entry.mediaType)) {
    const { manifests } = parse(ociIndex, bytes, entry.digest);
    const chosen = manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === o.architecture,
    );
    const next = chosen ?? (manifests.length === 1 ? manifests[0] : undefined);
    if (next === undefined || o.depth >= MAX_DEPTH)
      throw invalidArchive(`${entry.digest} has no image for linux/${o.architecture}`);
    const image = await ociImage(next, { ...o, depth: o.depth + 1 });
    return { ...image, references: referencesOf(entry) };
  }
  const manifest = parse(ociManifest, bytes, entry.digest);
  return { config: blobOf(manifest.config), layers: manifest.layers.map(blobOf), references: referencesOf(entry) };
}

/** containerd's annotation has the whole name; the standard one often only the tag, which names nothing by itself. */
function referencesOf(entry: OciDescriptor): readonly string[] {
  const name =
    entry.annotations?.['io.containerd.image.name'] ?? entry.annotations?.['org.opencontainers.image.ref.name'];
  if (name === undefined || !/[:/]/.test(name)) return [];
  return [familiarString({ ...parseReference(name), digest: undefined })];
}

function blobOf({ digest, size }: OciDescriptor): ArchivedBlob {
  return { name: blobName(digest), digest, size };
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw invalidArchive(`${what} is not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalidArchive(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}
