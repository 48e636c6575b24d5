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
  checkNumbers(hostConfig);
  for (const host of hostConfig.ExtraHosts ?? []) {
    if (!/^[^:=]+[:=]./.test(host))
      throw invalidParameter(`bad format for add-host: "${host}"`, 'Write it as NAME:ADDRESS.');
  }
  const isolation = String(hostConfig['Isolation'] ?? '');
  if (isolation !== '' && isolation !== 'default')
    throw invalidParameter(`invalid isolation (${isolation}): linux only supports 'default'`, 'Leave it out.');
  for (const [field, value] of Object.entries(hostConfig)) {
    if (TRANSLATED.has(field) || WITHOUT_EFFECT.has(field) || isEmpty(value)) continue;
    if (NEUTRAL[field]?.includes(value) || sharesWithContainer(field, value)) continue;
    if (field === 'Runtime') throw invalidParameter(`unknown or invalid runtime name: ${String(value)}`);
    if (field === 'StorageOpt') throw noQuota();
    if (MODES[field] !== undefined) throw invalidParameter(`invalid ${MODES[field]} mode: ${String(value)}`);
    throw unsupported(`HostConfig.${field} = ${JSON.stringify(value)}`);
  }
}

const MODES: Readonly<Record<string, string>> = { PidMode: 'PID', IpcMode: 'IPC', UTSMode: 'UTS' };

function checkNumbers({ CpuShares: shares, OomScoreAdj: score, ShmSize: shm }: HostConfig): void {
  if (typeof shares === 'number' && shares < 0)
    throw invalidParameter(`invalid CPU shares (${shares}): value must be a positive integer`);
  if (typeof score === 'number' && Math.abs(score) > 1_000)
    throw invalidParameter(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  if (typeof shm === 'number' && shm < 0) throw invalidParameter('SHM size can not be less than 0');
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
