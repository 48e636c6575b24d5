import type { ExecutionConfig } from '../../lib/oci/index.ts';
import type { HistoryRow, ImageRecord, RemovedImage } from '../image/index.ts';

/** One entry of `GET /images/json` (API 1.41, ImageSummary). */
export function listImage(image: ImageRecord, containers = -1): object {
  return {
    Containers: containers,
    Created: Math.floor(image.createdAt.getTime() / 1_000),
    Id: image.id,
    Labels: nullIfEmpty(image.config.config?.Labels),
    ParentId: image.parent ?? '',
    RepoDigests: image.repoDigests.length > 0 ? image.repoDigests : digestsOfUntagged(image),
    RepoTags: tagsOf(image),
    SharedSize: -1,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
  };
}

function digestsOfUntagged(image: ImageRecord): readonly string[] | null {
  return image.references.length > 0 ? null : ['<none>@<none>'];
}

function tagsOf(image: ImageRecord): readonly string[] | null {
  if (image.references.length > 0) return image.references;
  return image.repoDigests.length > 0 ? null : ['<none>:<none>'];
}

/** `GET /images/{name}/json` (API 1.41, Image). */
export function inspectImage(image: ImageRecord, layerDirectories: readonly string[], engineVersion: string): object {
  const { config } = image;
  const [top = '', ...lower] = layerDirectories;
  return {
    Id: image.id,
    RepoTags: image.references,
    RepoDigests: image.repoDigests,
    Parent: image.parent ?? '',
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? image.createdAt.toISOString(),
    Container: '',
    ContainerConfig: configOf({}),
    DockerVersion: engineVersion,
    Author: config.author ?? '',
    Config: configOf(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
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
