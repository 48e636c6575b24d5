import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { parseDurationMs } from '../../../lib/duration.ts';
import type { Healthcheck, Service } from '../../compose/index.ts';
import type { InstanceMount, InstanceSpec } from '../instance-spec.ts';

/** What engines differ in. */
export interface EngineAbilities {
  readonly rotatesLogs: boolean;
}

/** The body of `POST /containers/create` for one instance (Docker Engine API 1.41). */
export function renderContainer(spec: InstanceSpec, engine: EngineAbilities): ContainerCreateOptions {
  const { service } = spec;
  return present({
    name: spec.name,
    Image: spec.imageId,
    Labels: { ...spec.labels },
    Cmd: copied(service.command),
    Entrypoint: copied(service.entrypoint),
    Env: renderEnvironment(service),
    User: service.user,
    WorkingDir: service.working_dir,
    Hostname: service.hostname,
    Domainname: service.domainname,
    Tty: service.tty,
    OpenStdin: service.stdin_open,
    StopSignal: service.stop_signal,
    StopTimeout: secondsOf(service.stop_grace_period),
    Healthcheck: renderHealthcheck(service.healthcheck),
    HostConfig: renderHostConfig(spec, engine),
    NetworkingConfig: renderNetworking(spec),
  });
}

function renderEnvironment(service: Service): string[] {
  return Object.entries(service.environment ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${value}`],
  );
}

/** Durations in nanoseconds, as the API wants them. */
function renderHealthcheck(healthcheck: Healthcheck | undefined): object | undefined {
  if (healthcheck === undefined) return undefined;
  if (healthcheck.disable === true) return { Test: ['NONE'] };
  return present({
    Test: copied(healthcheck.test),
    Interval: nanosecondsOf(healthcheck.interval),
    Timeout: nanosecondsOf(healthcheck.timeout),
    StartPeriod: nanosecondsOf(healthcheck.start_period),
    StartInterval: nanosecondsOf(healthcheck.start_interval),
    Retries: healthcheck.retries,
  });
}

/** Logs are bounded where nothing is said about them, if the engine can do that. */
const LOG_BOUNDS = { 'max-size': '10m', 'max-file': '3' };

function renderHostConfig(spec: InstanceSpec, engine: EngineAbilities): HostConfig {
  const { service } = spec;
  return present({
    ...renderResources(service),
    ...renderMounts(spec),
    ReadonlyRootfs: spec.readOnlyRoot,
    RestartPolicy: renderRestart(spec),
    NetworkMode: networkModeOf(spec),
    SecurityOpt: securityOf(service),
    CapAdd: copied(service.cap_add),
    CapDrop: copied(service.cap_drop),
    Privileged: service.privileged,
    Init: service.init,
    GroupAdd: copied(service.group_add),
    ExtraHosts: service.extra_hosts?.map((pair) => pair.replace('=', ':')),
    Dns: copied(service.dns),
    DnsSearch: copied(service.dns_search),
    DnsOptions: copied(service.dns_opt),
    Sysctls: service.sysctls === undefined ? undefined : { ...service.sysctls },
    LogConfig: {
      Type: service.logging?.driver ?? 'json-file',
      Config:
        service.logging?.options ?? (service.logging?.driver === undefined && engine.rotatesLogs ? LOG_BOUNDS : {}),
    },
  });
}

function renderResources(service: Service): object {
  const limits = service.deploy?.resources.limits;
  const reservations = service.deploy?.resources.reservations;
  const cpus = limits?.cpus ?? service.cpus;
  return {
    NanoCpus: cpus === undefined ? undefined : Math.round(Number(cpus) * 1e9),
    Memory: numberOf(limits?.memory ?? service.mem_limit),
    MemoryReservation: numberOf(reservations?.memory ?? service.mem_reservation),
    MemorySwap: numberOf(service.memswap_limit),
    MemorySwappiness: numberOf(service.mem_swappiness),
    PidsLimit: limits?.pids ?? service.pids_limit,
    CpuShares: service.cpu_shares,
    CpuQuota: service.cpu_quota,
    CpuPeriod: service.cpu_period,
    CpusetCpus: service.cpuset,
    ShmSize: numberOf(service.shm_size),
    OomKillDisable: service.oom_kill_disable,
    OomScoreAdj: service.oom_score_adj,
    Ulimits: renderUlimits(service),
    Devices: service.devices?.map((device) => ({
      PathOnHost: device.source,
      PathInContainer: device.target ?? device.source,
      CgroupPermissions: device.permissions ?? 'rwm',
    })),
  };
}

function renderUlimits(service: Service): object[] | undefined {
  if (service.ulimits === undefined) return undefined;
  return Object.entries(service.ulimits).map(([Name, limit]) =>
    typeof limit === 'number' ? { Name, Soft: limit, Hard: limit } : { Name, Soft: limit.soft, Hard: limit.hard },
  );
}

/** Kept running unless the Compose file says otherwise: a service is meant to serve. */
function renderRestart({ service, job }: InstanceSpec): { Name: string; MaximumRetryCount?: number } {
  const policy = service.deploy?.restart_policy;
  if (policy !== undefined) {
    const attempts = policy.max_attempts === undefined ? {} : { MaximumRetryCount: policy.max_attempts };
    if (policy.condition === 'none') return { Name: 'no' };
    if (policy.condition === 'on-failure') return { Name: 'on-failure', ...attempts };
  }
  if (service.restart !== undefined) return restartOf(service.restart);
  return { Name: job ? 'no' : 'unless-stopped' };
}

/** `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`. */
function restartOf(text: string): { Name: string; MaximumRetryCount?: number } {
  const [name = 'no', count] = text.split(':', 2);
  return count === undefined ? { Name: name } : { Name: name, MaximumRetryCount: Number(count) };
}

function securityOf(service: Service): string[] {
  const given = service.security_opt ?? [];
  const isSaid = given.some((option) => option.startsWith('no-new-privileges'));
  return isSaid || service.privileged === true ? [...given] : ['no-new-privileges:true', ...given];
}

/** Where programs expect to write; in memory, unless something is mounted there already. */
const SCRATCH: Readonly<Record<string, string>> = {
  '/tmp': 'rw,nosuid,nodev,exec,mode=1777',
  '/run': 'rw,nosuid,nodev,exec,mode=1777',
};

function renderMounts(spec: InstanceSpec): object {
  const binds = spec.mounts.filter((mount) => mount.type === 'bind' && isPlainBind(mount));
  const mounts = spec.mounts.filter((mount) => mount.type !== 'tmpfs' && !binds.includes(mount));
  return {
    Binds: binds.map((mount) => renderBind(mount as InstanceMount & { type: 'bind' })),
    Mounts: mounts.map((mount) => renderMount(mount)),
    Tmpfs: { ...scratchOf(spec), ...Object.fromEntries(spec.mounts.flatMap((mount) => renderTmpfs(mount))) },
  };
}

/** The old syntax makes a missing source; the new one never does. */
function isPlainBind(mount: InstanceMount & { type: 'bind' }): boolean {
  return mount.createSource && !mount.source.includes(':') && !mount.target.includes(':');
}

function renderBind(mount: InstanceMount & { type: 'bind' }): string {
  const options = [mount.readOnly ? 'ro' : 'rw', ...(mount.propagation === undefined ? [] : [mount.propagation])];
  return `${mount.source}:${mount.target}:${options.join(',')}`;
}

function renderMount(mount: InstanceMount): object {
  if (mount.type === 'tmpfs') return {};
  const common = { Type: mount.type, Target: mount.target, Source: mount.source ?? '', ReadOnly: mount.readOnly };
  if (mount.type === 'volume') return { ...common, VolumeOptions: { NoCopy: mount.noCopy } };
  return mount.propagation === undefined ? common : { ...common, BindOptions: { Propagation: mount.propagation } };
}

function renderTmpfs(mount: InstanceMount): readonly [string, string][] {
  if (mount.type !== 'tmpfs') return [];
  const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
  const mode = [`mode=${(mount.mode ?? 0o1777).toString(8)}`];
  return [[mount.target, ['rw', 'nosuid', 'nodev', ...size, ...mode].join(',')]];
}

function scratchOf(spec: InstanceSpec): Record<string, string> {
  if (!spec.readOnlyRoot) return {};
  const taken = new Set(spec.mounts.map((mount) => mount.target));
  return Object.fromEntries(Object.entries(SCRATCH).filter(([target]) => !taken.has(target)));
}

function networkModeOf({ network }: InstanceSpec): string {
  switch (network.mode) {
    case 'networks':
      return network.attachments[0]?.network ?? 'none';
    case 'instance':
      return `container:${network.instance}`;
    default:
      return network.mode;
  }
}

/** The first network only: engines before API 1.44 take no more at creation, the others are connected after it. */
function renderNetworking({ network, service }: InstanceSpec): object | undefined {
  const first = network.mode === 'networks' ? network.attachments[0] : undefined;
  if (first === undefined) return undefined;
  const mac = Object.values(service.networks ?? {})[0]?.mac_address;
  return {
    EndpointsConfig: {
      [first.network]: { Aliases: [...first.aliases], ...(mac === undefined ? {} : { MacAddress: mac }) },
    },
  };
}

function secondsOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDurationMs(text);
  return ms === undefined ? undefined : Math.ceil(ms / 1_000);
}

function nanosecondsOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDurationMs(text);
  return ms === undefined ? undefined : Math.round(ms * 1e6);
}

function numberOf(text: string | number | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function copied(list: readonly string[] | null | undefined): string[] | undefined {
  return list === null || list === undefined ? undefined : [...list];
}

function present(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
