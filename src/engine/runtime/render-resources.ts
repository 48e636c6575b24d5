import type { Resources, Ulimit } from './container.ts';
import type { OciDeviceRule, OciResources, OciRlimit } from './oci.ts';

/** What this machine lets us ask for. */
export interface ResourceSupport {
  readonly swapLimit: boolean;
  /** Without CAP_SYS_RESOURCE: limits cannot rise above our own. */
  readonly raisesLimits: boolean;
  /** Our own hard limits by Docker's name (`nofile`); absent: unlimited. */
  readonly hardLimits: Readonly<Record<string, number>>;
  /** Our own value, which cannot be lowered without CAP_SYS_RESOURCE. */
  readonly oomScoreAdj: number;
}

const CPU_PERIOD_US = 100_000;

/** OCI Runtime Specification, Linux: Control groups. */
export function renderResources(resources: Resources, support: ResourceSupport): Omit<OciResources, 'devices'> {
  const memory = renderMemory(resources, support);
  const cpu = renderCpu(resources);
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(resources.pidsLimit ? { pids: { limit: resources.pidsLimit } } : {}),
    ...(resources.blkioWeight ? { blockIO: { weight: resources.blkioWeight } } : {}),
  };
}

/** As with Docker, swap is as much again as memory unless said otherwise. */
function renderMemory(resources: Resources, support: ResourceSupport): Record<string, number | boolean> {
  const limit = resources.memoryBytes;
  const swap = resources.memorySwapBytes || (limit ? limit * 2 : 0);
  return {
    ...(limit ? { limit } : {}),
    ...(swap && support.swapLimit ? { swap } : {}),
    ...(resources.memoryReservationBytes ? { reservation: resources.memoryReservationBytes } : {}),
    ...(resources.memorySwappiness === undefined || resources.memorySwappiness < 0
      ? {}
      : { swappiness: resources.memorySwappiness }),
    ...(resources.oomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function renderCpu(resources: Resources): Record<string, number | string> {
  const nano = resources.nanoCpus;
  const period = nano ? CPU_PERIOD_US : resources.cpuPeriod;
  const quota = nano ? Math.round((nano * CPU_PERIOD_US) / 1e9) : resources.cpuQuota;
  return {
    ...(resources.cpuShares ? { shares: resources.cpuShares } : {}),
    ...(period ? { period } : {}),
    ...(quota ? { quota } : {}),
    ...(resources.cpusetCpus ? { cpus: resources.cpusetCpus } : {}),
    ...(resources.cpusetMems ? { mems: resources.cpusetMems } : {}),
  };
}

/** Limits of processes; those that we may not raise are lowered to ours, and named in `lowered`. */
export function renderRlimits(
  ulimits: readonly Ulimit[],
  support: ResourceSupport,
): { readonly rlimits: readonly OciRlimit[]; readonly lowered: readonly string[] } {
  const lowered: string[] = [];
  const rlimits = ulimits.map(({ name, soft, hard }) => {
    const own = support.raisesLimits ? undefined : support.hardLimits[name];
    const wanted = hard < 0 ? Infinity : hard;
    if (own !== undefined && wanted > own) lowered.push(name);
    const allowed = Math.min(wanted, own ?? Infinity);
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      hard: allowed,
      soft: Math.min(soft < 0 ? Infinity : soft, allowed),
    };
  });
  return { rlimits, lowered };
}

const LIMIT_NAMES: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max address space': 'as',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/** Names that `--ulimit` takes. */
export const ULIMIT_NAMES: readonly string[] = Object.values(LIMIT_NAMES);

/** Hard limits from /proc/self/limits; the unlimited ones are left out. */
export function parseHardLimits(text: string): Readonly<Record<string, number>> {
  const rows = text.split('\n').flatMap((line) => {
    const match = /^(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    const name = match && LIMIT_NAMES[match[1] ?? ''];
    return name && match[3] !== 'unlimited' ? [[name, Number(match[3])] as const] : [];
  });
  return Object.fromEntries(rows);
}

/** Docker's list: anything may be made, nothing but the harmless ones used. */
export const DEFAULT_DEVICE_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ].map(([major = 0, minor = 0]) => ({ allow: true, type: 'c' as const, major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** `TYPE MAJOR:MINOR ACCESS`; `*` stands for every number. The text is checked where it comes in. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const [, type = 'a', major = '*', minor = '*', access = 'rwm'] =
    /^([acb]) (\d+|\*):(\d+|\*) ([rwm]+)$/.exec(text) ?? [];
  return {
    allow: true,
    type: type === 'b' || type === 'c' ? type : 'a',
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}
