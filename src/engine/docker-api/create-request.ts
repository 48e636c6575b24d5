import { z } from 'zod';
import { invalidParameter } from './http-errors.ts';

/** Docker's clients send `null` for what is not set. */
const text = z.string().nullish();
const number = z.number().nullish();
const flag = z.boolean().nullish();
const texts = z.array(z.string()).nullish();
const labels = z.record(z.string(), z.string()).nullish();
const keys = z.record(z.string(), z.unknown()).nullish();
/** Docker takes a lone string for a list of one (`strslice`). */
const words = z.union([z.array(z.string()), z.string().transform((word) => [word])]).nullish();

const healthcheck = z.object({
  Test: texts,
  Interval: number,
  Timeout: number,
  StartPeriod: number,
  StartInterval: number,
  Retries: number,
});

const config = z.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: keys,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: words,
  Healthcheck: healthcheck.nullish(),
  ArgsEscaped: flag,
  Image: text,
  Volumes: keys,
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: texts,
  Labels: labels,
  StopSignal: text,
  StopTimeout: number,
  Shell: texts,
});

const mount = z.object({
  Type: z.string(),
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: z.looseObject({ Propagation: text, NonRecursive: flag, CreateMountpoint: flag }).nullish(),
  VolumeOptions: z
    .looseObject({
      NoCopy: flag,
      Labels: labels,
      DriverConfig: z.object({ Name: text, Options: labels }).nullish(),
      Subpath: text,
    })
    .nullish(),
  TmpfsOptions: z
    .looseObject({ SizeBytes: number, Mode: number, Options: z.array(z.array(z.string())).nullish() })
    .nullish(),
});

const hostConfig = z.looseObject({
  Binds: texts,
  LogConfig: z.object({ Type: text, Config: labels }).nullish(),
  NetworkMode: text,
  PortBindings: z.record(z.string(), z.array(z.object({ HostIp: text, HostPort: text })).nullish()).nullish(),
  RestartPolicy: z.object({ Name: text, MaximumRetryCount: number }).nullish(),
  AutoRemove: flag,
  VolumesFrom: texts,
  CapAdd: words,
  CapDrop: words,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  Links: texts,
  DeviceCgroupRules: texts,
  Annotations: labels,
  IpcMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: texts,
  Tmpfs: labels,
  ShmSize: number,
  Sysctls: labels,
  Runtime: text,
  CpuShares: number,
  Memory: number,
  NanoCpus: number,
  CpuPeriod: number,
  CpuQuota: number,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: z.array(z.object({ PathOnHost: z.string(), PathInContainer: text, CgroupPermissions: text })).nullish(),
  MemoryReservation: number,
  MemorySwap: number,
  OomKillDisable: flag,
  Init: flag,
  PidsLimit: number,
  Ulimits: z.array(z.object({ Name: z.string(), Soft: z.number(), Hard: z.number() })).nullish(),
  MaskedPaths: texts,
  ReadonlyPaths: texts,
  Mounts: z.array(mount).nullish(),
});

const endpointConfig = z.looseObject({
  IPAMConfig: z.looseObject({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts }).nullish(),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  GwPriority: number,
  DriverOpts: labels,
});

const createRequest = config.extend({
  HostConfig: hostConfig.nullish(),
  NetworkingConfig: z.object({ EndpointsConfig: z.record(z.string(), endpointConfig.nullish()).nullish() }).nullish(),
});

/** The body of `POST /containers/create`. */
export type CreateRequest = z.infer<typeof createRequest>;
export type ContainerConfig = z.infer<typeof config>;
export type HostConfig = z.infer<typeof hostConfig>;
export type MountRequest = z.infer<typeof mount>;
export type EndpointConfig = z.infer<typeof endpointConfig>;

/** @throws UserError `invalid-parameter` that names the field */
export function parseCreateRequest(body: unknown): CreateRequest {
  return parsed(createRequest, body);
}

/** A container's configuration alone, as `POST /commit` takes it. @throws UserError `invalid-parameter` */
export function parseContainerConfig(body: unknown): ContainerConfig {
  return parsed(config, body);
}

/** The endpoint settings of `POST /networks/{id}/connect`. @throws UserError `invalid-parameter` */
export function parseEndpointConfig(body: unknown): EndpointConfig {
  return parsed(endpointConfig, body ?? {});
}

/** The body of `POST /containers/{id}/update`. @throws UserError `invalid-parameter` */
export function parseHostConfig(body: unknown): HostConfig {
  return parsed(hostConfig, body ?? {});
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalidParameter(`${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? 'is not valid'}`);
}
