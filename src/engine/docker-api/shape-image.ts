import type { ExecutionConfig } from '../../lib/oci/index.ts';
import { speaksAtLeast } from './versions.ts';
import type { HistoryRow, ImageRecord, RemovedImage } from '../image/index.ts';

/** One entry of `GET /images/json` (API 1.51, ImageSummary; older clients get what they know). */
export function listImage(
  image: ImageRecord,
  o: { readonly apiVersion: string; readonly containers?: number; readonly sharedBytes?: number },
): object {
  const isNew = speaksAtLeast(o, '1.43');
  return {
    Containers: o.containers ?? -1,
    Created: Math.floor(image.createdAt.getTime() / 1_000),
    Id: image.id,
    Labels: nullIfEmpty(image.config.config?.Labels),
    ParentId: image.parent ?? '',
    RepoDigests: isNew || image.repoDigests.length > 0 ? image.repoDigests : digestsOfUntagged(image),
    RepoTags: isNew ? image.references : tagsOf(image),
    SharedSize: o.sharedBytes ?? -1,
    Size: image.sizeBytes,
    ...virtualSizeOf(image, o),
  };
}

/** The same as the size, until API 1.44 dropped it. */
function virtualSizeOf(image: ImageRecord, o: { readonly apiVersion: string }): object {
  return speaksAtLeast(o, '1.44') ? {} : { VirtualSize: image.sizeBytes };
}

function digestsOfUntagged(image: ImageRecord): readonly string[] | null {
  return image.references.length > 0 ? null : ['<none>@<none>'];
}

function tagsOf(image: ImageRecord): readonly string[] | null {
  if (image.references.length > 0) return image.references;
  return image.repoDigests.length > 0 ? null : ['<none>:<none>'];
}

interface InspectOptions {
  /** Top first. */
  readonly layerDirectories: readonly string[];
  readonly engineVersion: string;
  readonly apiVersion: string;
}

/** `GET /images/{name}/json` (API 1.51, Image; older clients get what they know). */
export function inspectImage(image: ImageRecord, o: InspectOptions): object {
  const { config } = image;
  const [top = '', ...lower] = o.layerDirectories;
  return {
    Id: image.id,
    RepoTags: image.references,
    RepoDigests: image.repoDigests,
    Parent: image.parent ?? '',
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? image.createdAt.toISOString(),
    ...(speaksAtLeast(o, '1.45') ? {} : { ContainerConfig: configOf({}) }),
    DockerVersion: o.engineVersion,
    Author: config.author ?? '',
    Config: speaksAtLeast(o, '1.50') ? imagePartOf(config.config ?? {}) : configOf(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.sizeBytes,
    ...virtualSizeOf(image, o),
    GraphDriver: {
      Data: { ...(lower.length > 0 ? { LowerDir: lower.join(':') } : {}), UpperDir: top },
      Name: 'overlay2',
    },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: image.createdAt.toISOString() },
  };
}

function configOf(config: ExecutionConfig): object {
  return {
    Hostname: '',
    Domainname: '',
    User: config.User ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(nullIfEmpty(config.ExposedPorts) === null ? {} : { ExposedPorts: config.ExposedPorts }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.ArgsEscaped === true ? { ArgsEscaped: true } : {}),
    Image: '',
    Volumes: nullIfEmpty(config.Volumes),
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: nullIfEmpty(config.Labels),
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
  };
}

const OF_CONTAINERS = new Set([
  'Hostname', 'Domainname', 'AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty', 'OpenStdin', 'StdinOnce', 'Image',
]); // prettier-ignore

/** Without what only a container has. */
function imagePartOf(config: ExecutionConfig): object {
  return Object.fromEntries(Object.entries(configOf(config)).filter(([name]) => !OF_CONTAINERS.has(name)));
}

/** One entry of `GET /images/{name}/history`. */
export function historyRow(row: HistoryRow): object {
  return {
    Comment: row.comment,
    Created: Math.floor(row.createdAt.getTime() / 1_000),
    CreatedBy: row.createdBy,
    Id: row.id,
    Size: row.sizeBytes,
    Tags: row.references.length > 0 ? row.references : null,
  };
}

/** One entry of the answer to `DELETE /images/{name}`. */
export function removedImage(removed: RemovedImage): object {
  return 'untagged' in removed ? { Untagged: removed.untagged } : { Deleted: removed.deleted };
}

function nullIfEmpty<T extends object>(value: T | undefined): T | null {
  return value === undefined || Object.keys(value).length === 0 ? null : value;
}
