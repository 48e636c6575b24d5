import type { HostConfig } from './create-request.ts';
import type { UserError } from '../../lib/errors.ts';
import { invalidParameter, unsupported } from './http-errors.ts';

/** Fields that the translation to a ContainerSpec reads. */
const TRANSLATED: ReadonlySet<string> = new Set([
  'Binds', 'LogConfig', 'NetworkMode', 'PortBindings', 'RestartPolicy', 'AutoRemove', 'VolumesFrom', 'CapAdd',
  'CapDrop', 'Dns', 'DnsOptions', 'DnsSearch', 'ExtraHosts', 'GroupAdd', 'Privileged', 'PublishAllPorts',
  'ReadonlyRootfs', 'SecurityOpt', 'Tmpfs', 'ShmSize', 'Sysctls', 'CpuShares', 'Memory', 'NanoCpus', 'CpuPeriod',
  'CpuQuota', 'CpusetCpus', 'CpusetMems', 'Devices', 'MemoryReservation', 'MemorySwap', 'OomKillDisable', 'Init',
  'PidsLimit', 'OomScoreAdj', 'BlkioWeight', 'MemorySwappiness', 'Ulimits', 'MaskedPaths', 'ReadonlyPaths', 'Mounts',
  'Links', 'DeviceCgroupRules', 'Annotations', 'CgroupnsMode',
]); // prettier-ignore

/** Fields that change nothing in a container here: the client's own, or those of another operating system. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'ContainerIDFile',
  'ConsoleSize',
  'Isolation',
  'BlkioWeightDevice',
]);

/** Values that are translated, or say what holds anyway, beside the empty ones. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  IpcMode: ['private', 'shareable', 'host', 'none'],
  PidMode: ['private', 'host'],
  UTSMode: ['private', 'host'],
  UsernsMode: ['host'],
  Runtime: ['runc', 'crun', 'io.containerd.runc.v2'],
  VolumeDriver: ['local'],
  KernelMemory: [-1],
};

/**
 * Refuses what would otherwise be ignored.
 * @throws UserError `unsupported` that names the field and its value
 */
export function checkHostConfig(hostConfig: HostConfig): void {
  for (const [field, value] of Object.entries(hostConfig)) {
    if (TRANSLATED.has(field) || WITHOUT_EFFECT.has(field) || isEmpty(value)) continue;
    if (NEUTRAL[field]?.includes(value) || sharesWithContainer(field, value)) continue;
    if (field === 'Runtime') throw invalidParameter(`unknown or invalid runtime name: ${String(value)}`);
    if (field === 'StorageOpt') throw noQuota();
    throw unsupported(`HostConfig.${field} = ${JSON.stringify(value)}`);
  }
}

/** Docker's words where the file system has no project quotas. */
function noQuota(): UserError {
  return invalidParameter(
    "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    "Leave it out: the size of a container's own layer cannot be limited here. Use a tmpfs with a size for what it writes.",
  );
}

function sharesWithContainer(field: string, value: unknown): boolean {
  return (field === 'PidMode' || field === 'IpcMode') && String(value).startsWith('container:');
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
