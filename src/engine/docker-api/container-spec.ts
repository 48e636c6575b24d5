import { isAbsolute } from 'node:path';
import type { Digest, ExecutionConfig } from '../../lib/oci/index.ts';
import type { ContainerSpec, MountSpec } from '../runtime/index.ts';
import type { CreateRequest, HostConfig } from './create-request.ts';
import { dockerConfigOf, dockerHostConfigOf } from './docker-config.ts';
import { checkHostConfig } from './host-config-check.ts';
import { invalidParameter } from './http-errors.ts';
import { linksOf } from './links-spec.ts';
import { logDriverOf } from './log-driver-spec.ts';
import { mergeConfig, type MergedConfig } from './merge-config.ts';
import { planMounts, type PlannedMount } from './mounts-spec.ts';
import { networkSpecOf, parsePorts } from './network-spec.ts';
import { devicesOf, resourcesOf, restartPolicyOf, securityOf } from './resources-spec.ts';

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;
const DEFAULT_STOP_TIMEOUT_SECONDS = 10;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export interface SpecInputs {
  readonly request: CreateRequest;
  readonly name: string;
  readonly image: { readonly id: Digest; readonly config: ExecutionConfig };
  readonly onlineCpus: number;
  readonly cgroupVersion: 1 | 2;
  /** The mounts of another container, for `VolumesFrom`. */
  mountsOf(nameOrId: string): readonly MountSpec[];
  containerIdOf(nameOrId: string): string;
  networkNameOf(nameOrId: string): string;
}

export interface PlannedContainer {
  /** Its mounts are those of `mounts`; volumes without a name are to be made first (`withMounts`). */
  readonly spec: ContainerSpec;
  readonly mounts: readonly PlannedMount[];
  readonly warnings: readonly string[];
}

/**
 * Translates `POST /containers/create` to what the runtime takes.
 * @throws UserError `invalid-parameter`, `unsupported`: nothing that changes behaviour is ignored
 */
export function planContainer(inputs: SpecInputs): PlannedContainer {
  const { request } = inputs;
  const hostConfig = request.HostConfig ?? {};
  checkHostConfig(hostConfig);
  const config = mergeConfig(request, inputs.image.config);
  checkEnvironment(request);
  checkConfig(config, hostConfig);
  if (hostConfig['UTSMode'] === 'host' && request.Hostname) {
    throw invalidParameter('conflicting options: hostname and the UTS mode');
  }
  const mounts = planMounts({ hostConfig, anonymousVolumes: config.volumes, mountsOf: inputs.mountsOf });
  const spec: ContainerSpec = {
    name: inputs.name,
    imageId: inputs.image.id,
    imageName: request.Image ?? '',
    ...processOf(request, config),
    ...lifecycleOf(request, config),
    mounts: mounts.map(({ mount }) => mount),
    readOnlyRoot: hostConfig.ReadonlyRootfs ?? false,
    resources: resourcesOf(hostConfig, inputs.onlineCpus),
    shmSizeBytes: hostConfig.ShmSize || DEFAULT_SHM_BYTES,
    security: securityOf(hostConfig),
    sysctls: hostConfig.Sysctls ?? {},
    devices: devicesOf(hostConfig),
    ...ownFieldsOf(inputs, hostConfig),
    groupAdd: hostConfig.GroupAdd ?? [],
    network: networkSpecOf({ ...inputs, exposedPorts: config.exposedPorts }),
    ...namespacesOf(inputs, hostConfig),
    logDriver: logDriverOf(hostConfig),
    docker: {
      Config: dockerConfigOf(request, config),
      HostConfig: dockerHostConfigOf(hostConfig, inputs.cgroupVersion),
      ...(request.NetworkingConfig ? { NetworkingConfig: request.NetworkingConfig } : {}),
    },
  };
  return { spec, mounts, warnings: warningsOf(spec, hostConfig) };
}

/** A name as the client gave it, with or without the leading slash. @throws UserError `invalid-parameter` */
export function containerNameOf(text: string): string {
  const name = text.replace(/^\//, '');
  if (NAME.test(name)) return name;
  throw invalidParameter(
    `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    'Choose a name of at least two of these characters.',
  );
}

type ProcessPart = Pick<
  ContainerSpec,
  | 'args'
  | 'env'
  | 'workingDirectory'
  | 'user'
  | 'tty'
  | 'consoleSize'
  | 'openStdin'
  | 'stdinOnce'
  | 'hostname'
  | 'domainname'
>;

function processOf(request: CreateRequest, config: MergedConfig): ProcessPart {
  return {
    args: [...(config.entrypoint ?? []), ...(config.cmd ?? [])],
    env: config.env.filter((entry) => entry.includes('=')),
    workingDirectory: config.workingDir,
    user: config.user,
    tty: request.Tty ?? false,
    ...consoleSizeOf(request.HostConfig?.['ConsoleSize']),
    openStdin: request.OpenStdin ?? false,
    stdinOnce: request.StdinOnce ?? false,
    hostname: request.Hostname ?? '',
    ...(request.Domainname ? { domainname: request.Domainname } : {}),
  };
}

/** `[rows, columns]`; zeros where the client leaves it open. */
function consoleSizeOf(value: unknown): Pick<ContainerSpec, 'consoleSize'> {
  const [rows, columns] = Array.isArray(value) ? value.map(Number) : [];
  return rows && columns ? { consoleSize: { rows, columns } } : {};
}

type LifecyclePart = Pick<
  ContainerSpec,
  'labels' | 'stopSignal' | 'stopTimeoutSeconds' | 'healthcheck' | 'restartPolicy' | 'autoRemove' | 'init'
>;

function lifecycleOf(request: CreateRequest, config: MergedConfig): LifecyclePart {
  const hostConfig = request.HostConfig ?? {};
  return {
    labels: config.labels,
    stopSignal: config.stopSignal ?? '',
    stopTimeoutSeconds: request.StopTimeout ?? DEFAULT_STOP_TIMEOUT_SECONDS,
    ...(config.healthcheck === undefined ? {} : { healthcheck: config.healthcheck }),
    restartPolicy: restartPolicyOf(hostConfig),
    autoRemove: hostConfig.AutoRemove ?? false,
    init: hostConfig.Init ?? false,
  };
}

/** What few containers have: absent where it is not asked for. */
function ownFieldsOf(
  inputs: SpecInputs,
  hostConfig: HostConfig,
): Pick<ContainerSpec, 'links' | 'deviceRules' | 'annotations'> {
  const links = linksOf(inputs);
  const rules = hostConfig.DeviceCgroupRules ?? [];
  const annotations = hostConfig.Annotations ?? {};
  return {
    ...(links.length > 0 ? { links } : {}),
    ...(rules.length > 0 ? { deviceRules: rules.map(checkedDeviceRule) } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

function checkedDeviceRule(text: string): string {
  if (/^[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw invalidParameter(`invalid device cgroup rule format: '${text}'`, 'Write it like "c 1:3 rwm".');
}

type NamespacePart = Pick<
  ContainerSpec,
  'pidMode' | 'ipcMode' | 'utsMode' | 'oomScoreAdj' | 'cgroupNamespace' | 'runtime'
>;

function namespacesOf(inputs: SpecInputs, hostConfig: HostConfig): NamespacePart {
  const shared = (field: string): string | undefined => {
    const mode = String(hostConfig[field] ?? '');
    if (mode === 'host' || (mode === 'none' && field === 'IpcMode')) return mode;
    if (!mode.startsWith('container:')) return undefined;
    return `container:${inputs.containerIdOf(mode.slice('container:'.length))}`;
  };
  const [pidMode, ipcMode, utsMode] = ['PidMode', 'IpcMode', 'UTSMode'].map(shared);
  const { OomScoreAdj: score, Runtime: runtime } = hostConfig;
  const cgroupNamespace = cgroupNamespaceOf(hostConfig.CgroupnsMode ?? '');
  return {
    ...(pidMode === undefined ? {} : { pidMode }),
    ...(ipcMode === undefined ? {} : { ipcMode }),
    ...(utsMode === undefined ? {} : { utsMode }),
    ...(typeof score === 'number' && score !== 0 ? { oomScoreAdj: score } : {}),
    ...(cgroupNamespace === undefined ? {} : { cgroupNamespace }),
    ...(runtime === 'runc' || runtime === 'crun' ? { runtime } : {}),
  };
}

function cgroupNamespaceOf(mode: string): 'host' | 'private' | undefined {
  if (mode === '') return undefined;
  if (mode === 'host' || mode === 'private') return mode;
  throw invalidParameter(`invalid cgroup namespace mode: ${mode}`, 'One of host, private.');
}

function checkEnvironment({ Env }: CreateRequest): void {
  const nameless = Env?.find((entry) => entry === '' || entry.startsWith('='));
  if (nameless !== undefined)
    throw invalidParameter(`invalid environment variable: ${nameless}`, 'Write it as NAME=VALUE.');
}

function checkConfig(config: MergedConfig, hostConfig: HostConfig): void {
  if (config.workingDir !== '' && !isAbsolute(config.workingDir)) {
    throw invalidParameter(`the working directory '${config.workingDir}' is invalid, it needs to be an absolute path`);
  }
  const policy = hostConfig.RestartPolicy?.Name || 'no';
  if (hostConfig.AutoRemove === true && policy !== 'no') {
    throw invalidParameter("can't create 'AutoRemove' container with restart policy");
  }
  for (const port of config.exposedPorts) parsePorts(port);
  checkHealthcheck(config.healthcheck);
}

const HEALTHCHECK_TIMES = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const;

function checkHealthcheck(check: MergedConfig['healthcheck']): void {
  for (const field of HEALTHCHECK_TIMES) {
    const value = check?.[field] ?? 0;
    if (value !== 0 && value < 1e6) throw invalidParameter(`${field} in Healthcheck cannot be less than 1ms`);
  }
  if ((check?.Retries ?? 0) < 0) throw invalidParameter('Retries in Healthcheck cannot be negative');
  const kind = check?.Test?.[0];
  if (kind !== undefined && kind !== '' && !['NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    throw invalidParameter(`Unknown type '${kind}' in Healthcheck.Test`, 'One of NONE, CMD, CMD-SHELL.');
  }
}

function warningsOf(spec: ContainerSpec, hostConfig: HostConfig): readonly string[] {
  const hasPorts = Object.keys(hostConfig.PortBindings ?? {}).length > 0;
  const discards = hasPorts && (spec.network.mode === 'host' || spec.network.mode === 'none');
  return discards ? [`Published ports are discarded when using ${spec.network.mode} network mode`] : [];
}
