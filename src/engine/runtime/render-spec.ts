import type { ContainerSpec } from './container.ts';
import { capabilitiesOf } from './capabilities.ts';
import type { OciDevice, OciDeviceRule, OciNamespace, OciProcess, OciSpec } from './oci.ts';
import { renderMounts, type ResolvedMount } from './render-mounts.ts';
import {
  DEFAULT_DEVICE_RULES,
  parseDeviceRule,
  renderResources,
  renderRlimits,
  type ResourceSupport,
} from './render-resources.ts';
import { renderCustomSeccomp, renderDefaultSeccomp } from './render-seccomp.ts';
import type { ResolvedUser } from './users.ts';

/** The part of a container's description that its OCI specification is made of; build steps have one too. */
type ProcessSpec = Pick<
  ContainerSpec,
  | 'args'
  | 'env'
  | 'workingDirectory'
  | 'tty'
  | 'consoleSize'
  | 'hostname'
  | 'domainname'
  | 'readOnlyRoot'
  | 'resources'
  | 'shmSizeBytes'
  | 'security'
  | 'sysctls'
  | 'oomScoreAdj'
  | 'annotations'
  | 'deviceRules'
>;

export interface Machine {
  readonly architecture: string;
  readonly cgroupVersion: 1 | 2;
  /** What the daemon itself has. */
  readonly capabilities: readonly string[];
  readonly resources: ResourceSupport;
  /** /dev/mqueue is there. */
  readonly mqueue: boolean;
  /** The kernel filters system calls. */
  readonly seccomp: boolean;
}

export interface SpecInput {
  readonly spec: ProcessSpec;
  readonly user: ResolvedUser;
  readonly rootDirectory: string;
  readonly cgroupsPath: string;
  readonly namespaces: Namespaces;
  readonly mounts: readonly ResolvedMount[];
  readonly files: readonly { readonly source: string; readonly target: string }[];
  readonly devices: readonly DeviceNode[];
  /** Absolute path in the container of the init that runs `args`; absent: none. */
  readonly initPath?: string;
  /** Nothing on /sys/fs/cgroup. */
  readonly hidesCgroups?: boolean;
  readonly machine: Machine;
}

/** `host`, a path of one that exists, or `private`. */
export interface Namespaces {
  readonly network: 'host' | 'private' | { readonly path: string };
  readonly pid: 'host' | 'private' | { readonly path: string };
  readonly ipc: 'host' | 'private' | 'none' | { readonly path: string };
  readonly uts: 'host' | 'private';
  /** Absent: as Docker has it by default. */
  readonly cgroup?: 'host' | 'private';
}

export interface DeviceNode extends OciDevice {
  readonly access: string;
}

export interface RenderedSpec {
  readonly spec: OciSpec;
  /** What was asked for and cannot be given here. */
  readonly warnings: readonly string[];
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Docker's lists of what a container may not see, or not change. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The `config.json` of a bundle (OCI Runtime Specification, Configuration). */
export function renderSpec(input: SpecInput): RenderedSpec {
  const { spec, machine } = input;
  const { process, warnings } = renderProcess(input);
  const { privileged } = spec.security;
  const ownUts = input.namespaces.uts === 'private';
  const propagation = rootPropagation(input.mounts);
  return {
    warnings,
    spec: {
      ociVersion: '1.0.2',
      process,
      root: { path: input.rootDirectory, readonly: spec.readOnlyRoot },
      ...(ownUts ? { hostname: spec.hostname } : {}),
      ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
      mounts: renderMounts({
        shmSizeBytes: spec.shmSizeBytes,
        privileged,
        hostIpc: input.namespaces.ipc === 'host',
        hostMqueue: machine.mqueue,
        hasShm: input.namespaces.ipc !== 'none',
        hidesCgroups: input.hidesCgroups ?? false,
        mounts: input.mounts,
        files: input.files,
      }),
      linux: {
        namespaces: renderNamespaces(input.namespaces, machine, privileged),
        cgroupsPath: input.cgroupsPath,
        resources: { devices: deviceRules(input), ...renderResources(spec.resources, machine.resources) },
        devices: input.devices.map(({ access: _, ...device }) => device),
        sysctl: renderSysctls(input),
        ...renderSeccomp(input),
        maskedPaths: spec.security.maskedPaths ?? (privileged ? [] : MASKED_PATHS),
        readonlyPaths: spec.security.readonlyPaths ?? (privileged ? [] : READONLY_PATHS),
        ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      },
    },
  };
}

/** The text of a specification; an infinite limit is RLIM_INFINITY (2^64 - 1), which no JavaScript number is. */
export function specText(spec: object): string {
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => object };
  return JSON.stringify(spec, (_key, value: unknown) => (value === Infinity ? rawJSON('18446744073709551615') : value));
}

function renderProcess(input: SpecInput): { process: OciProcess; warnings: readonly string[] } {
  const { spec, user, machine } = input;
  const { rlimits, lowered } = renderRlimits(spec.resources.ulimits ?? [], machine.resources);
  const oom = renderOomScore(spec.oomScoreAdj, machine.resources);
  const warnings = lowered.map((name) => `the limit ${name} cannot be raised without CAP_SYS_RESOURCE: ours is used`);
  if (oom === 'refused') warnings.push('oom_score_adj cannot be lowered without CAP_SYS_RESOURCE: it is left alone');
  if (spec.resources.memoryBytes && !machine.resources.swapLimit) {
    warnings.push('this kernel does not limit swap: memory is limited without it');
  }
  return {
    warnings,
    process: {
      terminal: spec.tty,
      ...consoleSizeOf(spec),
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: input.initPath === undefined ? spec.args : [input.initPath, '--', ...spec.args],
      env: renderEnvironment(spec, user.home),
      cwd: spec.workingDirectory === '' ? '/' : spec.workingDirectory,
      capabilities: renderCapabilities(capabilitiesOf(spec.security, machine.capabilities), user.uid),
      rlimits,
      noNewPrivileges: spec.security.noNewPrivileges,
      ...(typeof oom === 'number' ? { oomScoreAdj: oom } : {}),
      ...(spec.security.apparmorProfile === undefined ? {} : { apparmorProfile: spec.security.apparmorProfile }),
    },
  };
}

function consoleSizeOf({ tty, consoleSize }: ProcessSpec): Pick<OciProcess, 'consoleSize'> {
  return tty && consoleSize !== undefined
    ? { consoleSize: { height: consoleSize.rows, width: consoleSize.columns } }
    : {};
}

/** A user who is not root starts without effective capabilities, and can only get them by setuid programs. */
export function renderCapabilities(held: readonly string[], uid: number): OciProcess['capabilities'] {
  const own = uid === 0 ? held : [];
  return { bounding: held, effective: own, permitted: own };
}

function variableOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

/** In Docker's order: its own variables, with what is given in their place, then the others. */
function renderEnvironment(spec: Pick<ProcessSpec, 'env' | 'tty' | 'hostname'>, home: string): readonly string[] {
  const given = new Map(spec.env.map((entry) => [variableOf(entry), entry]));
  const defaults = [DEFAULT_PATH, `HOSTNAME=${spec.hostname}`, ...(spec.tty ? ['TERM=xterm'] : [])];
  const names = new Set(defaults.map(variableOf));
  return [
    ...defaults.map((entry) => given.get(variableOf(entry)) ?? entry),
    ...spec.env.filter((entry) => !names.has(variableOf(entry))),
    ...(given.has('HOME') ? [] : [`HOME=${home}`]),
  ].filter((entry) => entry.includes('='));
}

function renderOomScore(wanted: number | undefined, support: ResourceSupport): number | 'refused' | undefined {
  if (wanted === undefined || wanted === 0) return undefined;
  return wanted < support.oomScoreAdj && !support.raisesLimits ? 'refused' : wanted;
}

function renderNamespaces(namespaces: Namespaces, machine: Machine, privileged: boolean): readonly OciNamespace[] {
  const list: OciNamespace[] = [{ type: 'mount' }];
  for (const type of ['network', 'pid', 'ipc', 'uts'] as const) {
    const wanted = namespaces[type];
    if (wanted === 'host') continue;
    list.push(typeof wanted === 'string' ? { type } : { type, path: wanted.path });
  }
  // As Docker: on version 2 a container sees its own group as the root of the tree.
  const byDefault = machine.cgroupVersion === 2 && !privileged ? 'private' : 'host';
  if ((namespaces.cgroup ?? byDefault) === 'private') list.push({ type: 'cgroup' });
  return list;
}

/** As Docker: in a network of its own, ports below 1024 and ping are open to every user. */
function renderSysctls(input: SpecInput): Readonly<Record<string, string>> {
  const own = input.namespaces.network !== 'host';
  const { domainname } = input.spec;
  return {
    // The specification's own field is newer than the runc of Debian 12.
    ...(domainname && input.namespaces.uts === 'private' ? { 'kernel.domainname': domainname } : {}),
    ...(own ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
    ...input.spec.sysctls,
  };
}

function deviceRules(input: SpecInput): readonly OciDeviceRule[] {
  if (input.spec.security.privileged) return [{ allow: true, access: 'rwm' }];
  const added = input.devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access }));
  return [...DEFAULT_DEVICE_RULES, ...added, ...(input.spec.deviceRules ?? []).map(parseDeviceRule)];
}

function renderSeccomp(input: SpecInput): { readonly seccomp?: object } {
  const { security } = input.spec;
  if (security.privileged || security.seccomp === 'unconfined' || !input.machine.seccomp) return {};
  const target = {
    capabilities: capabilitiesOf(security, input.machine.capabilities),
    architecture: input.machine.architecture,
  };
  return {
    seccomp:
      security.seccomp === 'default' ? renderDefaultSeccomp(target) : renderCustomSeccomp(security.seccomp, target),
  };
}

function rootPropagation(mounts: readonly ResolvedMount[]): string | undefined {
  const wanted = new Set(mounts.map((mount) => (mount.type === 'bind' ? mount.propagation : undefined)));
  if (wanted.has('shared') || wanted.has('rshared')) return 'shared';
  return wanted.has('slave') || wanted.has('rslave') ? 'rslave' : undefined;
}
