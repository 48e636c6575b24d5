import type { ContainerConfig, HostConfig } from './create-request.ts';
import type { MergedConfig } from './merge-config.ts';

/** `Config` of `docker inspect` (API 1.51): what the client sent with the image's defaults merged in. */
export function dockerConfigOf(request: ContainerConfig, merged: MergedConfig): Record<string, unknown> {
  return {
    Hostname: request.Hostname ?? '',
    Domainname: request.Domainname ?? '',
    User: merged.user,
    AttachStdin: request.AttachStdin ?? false,
    AttachStdout: request.AttachStdout ?? false,
    AttachStderr: request.AttachStderr ?? false,
    ...(merged.exposedPorts.length > 0 ? { ExposedPorts: setOf(merged.exposedPorts.map(withProtocol)) } : {}),
    Tty: request.Tty ?? false,
    OpenStdin: request.OpenStdin ?? false,
    StdinOnce: request.StdinOnce ?? false,
    Env: merged.env.length > 0 ? merged.env : null,
    Cmd: merged.cmd,
    ...(merged.healthcheck === undefined ? {} : { Healthcheck: merged.healthcheck }),
    ...(request.ArgsEscaped === true ? { ArgsEscaped: true } : {}),
    Image: request.Image ?? '',
    Volumes: merged.volumes.length > 0 ? setOf(merged.volumes) : null,
    WorkingDir: merged.workingDir,
    Entrypoint: merged.entrypoint,
    ...(request.NetworkDisabled === true ? { NetworkDisabled: true } : {}),
    ...(request.MacAddress ? { MacAddress: request.MacAddress } : {}),
    OnBuild: request.OnBuild ?? null,
    Labels: merged.labels,
    ...(merged.stopSignal === undefined ? {} : { StopSignal: merged.stopSignal }),
    ...(request.StopTimeout === undefined || request.StopTimeout === null ? {} : { StopTimeout: request.StopTimeout }),
    ...(merged.shell === undefined ? {} : { Shell: merged.shell }),
  };
}

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** `HostConfig` as `docker inspect` shows it when nothing is asked for (API 1.51). */
const HOST_CONFIG_DEFAULTS: Readonly<Record<string, unknown>> = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: {} },
  NetworkMode: 'bridge',
  PortBindings: {},
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: '',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 67_108_864,
  Runtime: 'runc',
  ConsoleSize: [0, 0],
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: MASKED_PATHS,
  ReadonlyPaths: READONLY_PATHS,
};

/** `HostConfig` of `docker inspect`: what the client sent over Docker's defaults. */
export function dockerHostConfigOf(hostConfig: HostConfig, cgroupVersion: 1 | 2): Record<string, unknown> {
  const sent = Object.entries(hostConfig).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const merged: Record<string, unknown> = { ...HOST_CONFIG_DEFAULTS, ...Object.fromEntries(sent) };
  merged['LogConfig'] = { Type: hostConfig.LogConfig?.Type || 'json-file', Config: hostConfig.LogConfig?.Config ?? {} };
  merged['RestartPolicy'] = {
    Name: hostConfig.RestartPolicy?.Name || 'no',
    MaximumRetryCount: hostConfig.RestartPolicy?.MaximumRetryCount ?? 0,
  };
  merged['CgroupnsMode'] = hostConfig.CgroupnsMode || (cgroupVersion === 2 ? 'private' : 'host');
  if (merged['NetworkMode'] === 'default') merged['NetworkMode'] = 'bridge';
  if (merged['MemorySwappiness'] === -1) merged['MemorySwappiness'] = null;
  if (!hostConfig.ShmSize) merged['ShmSize'] = HOST_CONFIG_DEFAULTS['ShmSize'];
  if (!hostConfig.PidsLimit) merged['PidsLimit'] = null;
  if ((hostConfig.Memory ?? 0) > 0 && !hostConfig.MemorySwap) merged['MemorySwap'] = (hostConfig.Memory ?? 0) * 2;
  return merged;
}

function setOf(keys: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}
