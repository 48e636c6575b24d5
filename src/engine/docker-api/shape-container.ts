import type { NetworkRecord } from '../network/index.ts';
import type { Container, ContainerState, Health, MountSpec } from '../runtime/index.ts';
import type { VolumeRecord } from '../volume/index.ts';
import { shownLinks } from './links-spec.ts';
import { statusText } from './human-status.ts';
import { speaksAtLeast } from './versions.ts';
import { listedPorts, networksOf, networkSettingsOf } from './shape-endpoint.ts';

/** What the answers about containers need beside the container itself. */
export interface ContainerSurroundings {
  /** Folders of the image's layers, top first. */
  readonly layerDirectories: readonly string[];
  /** Undefined where the volume is gone. */
  findVolume(name: string): VolumeRecord | undefined;
  findNetwork(nameOrId: string): NetworkRecord | undefined;
  readonly hostname: string;
}

export interface Sizes {
  readonly ownBytes: number;
  readonly imageBytes: number;
}

interface Shown {
  readonly around: ContainerSurroundings;
  /** That the client speaks. */
  readonly apiVersion: string;
  readonly sizes?: Sizes;
}

export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** `GET /containers/{id}/json` (API 1.51, ContainerInspectResponse; older clients get what they know). */
export function inspectContainer(container: Container, { around, sizes, apiVersion }: Shown): object {
  const { spec, state } = container;
  const [path = '', ...args] = spec.args;
  const paths = pathsOf(container);
  return {
    Id: container.id,
    Created: container.createdAt.toISOString(),
    Path: path,
    Args: args,
    State: stateOf(state),
    Image: spec.imageId,
    ...paths,
    Name: `/${spec.name}`,
    RestartCount: state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: state.pid > 0 && container.execIds.length > 0 ? container.execIds : null,
    HostConfig: hostConfigOf(container),
    GraphDriver: graphDriverOf(container, around),
    ...(sizes === undefined ? {} : { SizeRw: sizes.ownBytes, SizeRootFs: sizes.ownBytes + sizes.imageBytes }),
    Mounts: mountsOf(container, around),
    Config: { ...spec.docker.Config, Hostname: hostnameOf(container, around), Labels: spec.labels },
    NetworkSettings: networkSettingsOf(container, { findNetwork: around.findNetwork, apiVersion }),
  };
}

/** One entry of `GET /containers/json` (API 1.51, ContainerSummary; older clients get what they know). */
export function listContainer(
  container: Container,
  o: Shown & { readonly now: Date; readonly imageName: string },
): object {
  const { spec, state } = container;
  return {
    Id: container.id,
    Names: [`/${spec.name}`],
    Image: o.imageName,
    ImageID: spec.imageId,
    Command: commandText(spec.args),
    Created: Math.floor(container.createdAt.getTime() / 1_000),
    Ports: listedPorts(container),
    ...(o.sizes === undefined ? {} : listedSizes(o.sizes)),
    Labels: spec.labels,
    State: state.status,
    Status: statusText(state, o.now),
    HostConfig: listedHostConfig(container, o),
    NetworkSettings: {
      Networks: networksOf(container, { findNetwork: o.around.findNetwork, apiVersion: o.apiVersion, isList: true }),
    },
    Mounts: mountsOf(container, o.around),
  };
}

function listedHostConfig({ spec }: Container, { apiVersion }: Shown): object {
  const { NetworkMode, Annotations } = spec.docker.HostConfig as { NetworkMode: string; Annotations?: object };
  const isShown = Annotations !== undefined && speaksAtLeast({ apiVersion }, '1.46');
  return { NetworkMode, ...(isShown ? { Annotations } : {}) };
}

/** A container that has written nothing has no `SizeRw` in lists. */
function listedSizes({ ownBytes, imageBytes }: Sizes): object {
  return { ...(ownBytes > 0 ? { SizeRw: ownBytes } : {}), SizeRootFs: ownBytes + imageBytes };
}

/** How Docker joins a command for the list: words with blanks in quotes. */
export function commandText(args: readonly string[]): string {
  const [path = '', ...rest] = args;
  return [path, ...rest.map((word) => (word.includes(' ') ? `'${word}'` : word))].join(' ');
}

function stateOf(state: ContainerState): object {
  const { status } = state;
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt?.toISOString() ?? ZERO_TIME,
    FinishedAt: state.finishedAt?.toISOString() ?? ZERO_TIME,
    ...(state.health === undefined ? {} : { Health: healthOf(state.health) }),
  };
}

function healthOf(health: Health): object {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map((entry) => ({
      Start: entry.start.toISOString(),
      End: entry.end.toISOString(),
      ExitCode: entry.exitCode,
      Output: entry.output,
    })),
  };
}

/** As the client sent it, with what `update` has changed since. */
function hostConfigOf({ spec }: Container): object {
  const { resources, restartPolicy } = spec;
  return {
    ...spec.docker.HostConfig,
    Links: shownLinks((spec.docker.HostConfig as { Links?: readonly string[] }).Links, spec.name),
    RestartPolicy: { Name: restartPolicy.name, MaximumRetryCount: restartPolicy.maximumRetryCount },
    CpuShares: resources.cpuShares ?? 0,
    Memory: resources.memoryBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 0,
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CpuPeriod: resources.cpuPeriod ?? 0,
    CpuQuota: resources.cpuQuota ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    CpusetMems: resources.cpusetMems ?? '',
    PidsLimit: resources.pidsLimit ?? null,
  };
}

function pathsOf(container: Container): Record<string, string> {
  const { sandbox } = container;
  return {
    ResolvConfPath: sandbox?.resolvConf ?? '',
    HostnamePath: sandbox?.hostnameFile ?? '',
    HostsPath: sandbox?.hosts ?? '',
    LogPath: container.logPath,
  };
}

function hostnameOf({ id, spec }: Container, around: ContainerSurroundings): string {
  if (spec.hostname !== '') return spec.hostname;
  return spec.network.mode === 'host' ? around.hostname : id.slice(0, 12);
}

function graphDriverOf(container: Container, around: ContainerSurroundings): object {
  return {
    Data: {
      LowerDir: around.layerDirectories.join(':'),
      MergedDir: container.rootDirectory,
      UpperDir: container.upperDirectory,
      WorkDir: container.upperDirectory.replace(/[^/]+$/, 'work'),
    },
    Name: 'overlay2',
  };
}

/** `Mounts`: bind mounts, volumes, and the tmpfs mounts of `--mount` (those of `--tmpfs` are in HostConfig alone). */
function mountsOf({ spec }: Container, around: ContainerSurroundings): readonly object[] {
  const { Tmpfs } = spec.docker.HostConfig as { Tmpfs?: Record<string, string> };
  const isPlain = (mount: MountSpec): boolean => mount.type === 'tmpfs' && Object.hasOwn(Tmpfs ?? {}, mount.target);
  return spec.mounts.filter((mount) => !isPlain(mount)).map((mount) => mountShape(mount, around));
}

function mountShape(mount: MountSpec, around: ContainerSurroundings): object {
  switch (mount.type) {
    case 'bind':
      return {
        Type: 'bind',
        Source: mount.source,
        Destination: mount.target,
        Mode: mount.readOnly ? 'ro' : '',
        RW: !mount.readOnly,
        Propagation: mount.propagation ?? 'rprivate',
      };
    case 'volume':
      return volumeMountShape(mount, around.findVolume(mount.name));
    case 'tmpfs':
      return { Type: 'tmpfs', Source: '', Destination: mount.target, Mode: '', RW: true, Propagation: '' };
  }
}

function volumeMountShape(mount: Extract<MountSpec, { type: 'volume' }>, volume: VolumeRecord | undefined): object {
  const mode = volume?.anonymous === true ? '' : 'z';
  return {
    Type: 'volume',
    Name: mount.name,
    Source: volume?.mountpoint ?? '',
    Destination: mount.target,
    Driver: 'local',
    Mode: mount.readOnly ? 'ro' : mode,
    RW: !mount.readOnly,
    Propagation: '',
  };
}
