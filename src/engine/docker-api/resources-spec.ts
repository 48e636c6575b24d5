import {
  unknownCapability,
  type DeviceSpec,
  type Resources,
  type RestartPolicy,
  type Security,
} from '../runtime/index.ts';
import type { HostConfig } from './create-request.ts';
import { invalidParameter, unsupported } from './http-errors.ts';

const SMALLEST_MEMORY_BYTES = 6 * 1024 * 1024;

/**
 * Limits, checked as Docker checks them (moby daemon/daemon_unix.go `verifyPlatformContainerResources`).
 * @throws UserError `invalid-parameter`
 */
export function resourcesOf(hostConfig: HostConfig, onlineCpus: number): Resources {
  const memory = hostConfig.Memory || 0;
  const swap = hostConfig.MemorySwap || 0;
  checkMemory(hostConfig, memory, swap);
  checkCpu(hostConfig, onlineCpus);
  return present({
    memoryBytes: memory,
    memorySwapBytes: memory > 0 && swap === 0 ? memory * 2 : swap,
    memoryReservationBytes: hostConfig.MemoryReservation,
    memorySwappiness: swappinessOf(hostConfig),
    nanoCpus: hostConfig.NanoCpus,
    cpuShares: hostConfig.CpuShares,
    cpuQuota: hostConfig.CpuQuota,
    cpuPeriod: hostConfig.CpuPeriod,
    cpusetCpus: hostConfig.CpusetCpus,
    cpusetMems: hostConfig.CpusetMems,
    pidsLimit: hostConfig.PidsLimit,
    blkioWeight: numberOf(hostConfig['BlkioWeight']),
    oomKillDisable: hostConfig.OomKillDisable,
    ...(hostConfig.Ulimits?.length
      ? { ulimits: hostConfig.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })) }
      : {}),
  });
}

function checkMemory(hostConfig: HostConfig, memory: number, swap: number): void {
  if (memory < 0 || (memory > 0 && memory < SMALLEST_MEMORY_BYTES)) {
    throw invalidParameter('Minimum memory limit allowed is 6MB', 'Give at least 6 MiB.');
  }
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalidParameter('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0) {
    throw invalidParameter('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  const reservation = hostConfig.MemoryReservation || 0;
  if (memory > 0 && reservation > memory) {
    throw invalidParameter('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkCpu(hostConfig: HostConfig, onlineCpus: number): void {
  const nano = hostConfig.NanoCpus || 0;
  if (nano !== 0 && (hostConfig.CpuPeriod || 0) > 0) {
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (nano !== 0 && (hostConfig.CpuQuota || 0) > 0) {
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  checkCpuset(hostConfig.CpusetCpus ?? '', onlineCpus);
  if (nano < 0 || nano > onlineCpus * 1e9) {
    throw invalidParameter(
      `range of CPUs is from 0.01 to ${onlineCpus.toFixed(2)}, as there are only ${onlineCpus} CPUs available`,
    );
  }
}

function checkCpuset(text: string, onlineCpus: number): void {
  if (text === '') return;
  if (!/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(text)) {
    throw invalidParameter(`Invalid value ${text} for cpuset cpus`, 'Write it like 0-2 or 0,1.');
  }
  const highest = Math.max(...text.split(/[,-]/).map(Number));
  if (highest < onlineCpus) return;
  const available = onlineCpus === 1 ? '0' : `0-${onlineCpus - 1}`;
  throw invalidParameter(`Requested CPUs are not available - requested ${text}, available: ${available}`);
}

function swappinessOf(hostConfig: HostConfig): number | undefined {
  const value = numberOf(hostConfig['MemorySwappiness']);
  if (value === undefined || value === -1) return undefined;
  if (value < 0 || value > 100)
    throw invalidParameter(`Invalid value: ${value}, valid memory swappiness range is 0-100`);
  return value;
}

/** @throws UserError `invalid-parameter` */
export function restartPolicyOf(hostConfig: HostConfig): RestartPolicy {
  const name = hostConfig.RestartPolicy?.Name || 'no';
  const maximumRetryCount = hostConfig.RestartPolicy?.MaximumRetryCount ?? 0;
  if (name !== 'no' && name !== 'always' && name !== 'unless-stopped' && name !== 'on-failure') {
    const known = "use one of 'no', 'always', 'on-failure', or 'unless-stopped'";
    throw invalidParameter(`invalid restart policy: unknown policy '${name}'; ${known}`);
  }
  if (name !== 'on-failure' && maximumRetryCount !== 0) {
    throw invalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (maximumRetryCount < 0) throw invalidParameter('invalid restart policy: maximum retry count cannot be negative');
  return { name, maximumRetryCount };
}

/** @throws UserError `invalid-parameter`, `unsupported` */
export function securityOf(hostConfig: HostConfig): Security {
  const options = (hostConfig.SecurityOpt ?? []).map(splitOption);
  const isPrivileged = hostConfig.Privileged ?? false;
  const seccomp = options.findLast(([name]) => name === 'seccomp')?.[1];
  for (const [index, [name, value]] of options.entries()) checkSecurityOption(name, value, index + 2);
  checkCapabilities(hostConfig);
  return {
    privileged: isPrivileged,
    capAdd: hostConfig.CapAdd ?? [],
    capDrop: hostConfig.CapDrop ?? [],
    noNewPrivileges: options.some(([name, value]) => name === 'no-new-privileges' && value !== 'false'),
    seccomp: seccompOf(seccomp),
    ...apparmorOf(options),
    ...(hostConfig.MaskedPaths ? { maskedPaths: hostConfig.MaskedPaths } : {}),
    ...(hostConfig.ReadonlyPaths ? { readonlyPaths: hostConfig.ReadonlyPaths } : {}),
  };
}

/** `NAME=VALUE`, or the older `NAME:VALUE`. */
function splitOption(text: string): readonly [string, string] {
  const at = text.search(/[=:]/);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function checkCapabilities({ CapAdd, CapDrop }: HostConfig): void {
  for (const [field, names] of [
    ['CapAdd', CapAdd],
    ['CapDrop', CapDrop],
  ] as const) {
    const unknown = unknownCapability(names ?? []);
    if (unknown === undefined) continue;
    const name = unknown.toUpperCase().replace(/^(?!CAP_)/, 'CAP_');
    throw invalidParameter(`invalid ${field}: unknown capability: "${name}"`, 'See capabilities(7) for names.');
  }
}

/** dockerd counts them from 2. */
function checkSecurityOption(name: string, value: string, index: number): void {
  if (name === 'seccomp' || (name === 'no-new-privileges' && ['', 'true', 'false'].includes(value))) return;
  if (name === 'apparmor' || (name === 'label' && value === 'disable')) return;
  if (name === 'label') throw unsupported(`HostConfig.SecurityOpt "${name}=${value}"`);
  throw invalidParameter(`invalid --security-opt ${index}: "${name}${value === '' ? '' : `=${value}`}"`);
}

function apparmorOf(options: readonly (readonly [string, string])[]): Pick<Security, 'apparmorProfile'> {
  const profile = options.findLast(([name]) => name === 'apparmor')?.[1];
  return profile === undefined || profile === '' ? {} : { apparmorProfile: profile };
}

function seccompOf(value: string | undefined): Security['seccomp'] {
  if (value === undefined || value === '' || value === 'builtin' || value === 'default') return 'default';
  if (value === 'unconfined') return 'unconfined';
  try {
    const profile: unknown = JSON.parse(value);
    if (typeof profile === 'object' && profile !== null) return profile;
  } catch {
    // said below, with what a profile is
  }
  throw invalidParameter(
    'Decoding seccomp profile failed: it is not a JSON object',
    "Give a profile in Docker's format.",
  );
}

export function devicesOf(hostConfig: HostConfig): readonly DeviceSpec[] {
  return (hostConfig.Devices ?? []).map((device) => ({
    pathOnHost: device.PathOnHost,
    pathInContainer: device.PathInContainer || device.PathOnHost,
    permissions: device.CgroupPermissions || 'rwm',
  }));
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Without what is null, absent, empty, 0 or false: in a record of limits they all mean "none". */
function present<T extends object>(record: T): Present<T> {
  const entries = Object.entries(record).filter(
    ([, value]) => value !== null && value !== undefined && value !== 0 && value !== '' && value !== false,
  );
  return Object.fromEntries(entries) as Present<T>;
}
