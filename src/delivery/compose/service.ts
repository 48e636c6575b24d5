import type { ServiceSettings } from './project-settings.ts';

export type TrafficProtocol = 'http' | 'tcp';

export interface Service {
  readonly image?: string;
  readonly build?: Build;
  /** null: the image's own. An empty list clears it. */
  readonly command: readonly string[] | null;
  readonly entrypoint: readonly string[] | null;
  /** Already merged from env_file and environment; null: not set (the name only, no value to pass on). */
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly ports?: readonly Port[];
  readonly expose?: readonly string[];
  readonly volumes?: readonly ServiceVolume[];
  readonly tmpfs?: readonly string[];
  /** By network key; a service without networks and network_mode has `default`. */
  readonly networks?: Readonly<Record<string, ServiceNetwork | null>>;
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, Dependency>>;
  readonly healthcheck?: Healthcheck;
  readonly deploy?: Deploy;
  readonly scale?: number;
  readonly user?: string;
  readonly working_dir?: string;
  readonly read_only?: boolean;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_signal?: string;
  readonly stop_grace_period?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly configs?: readonly FileReference[];
  readonly secrets?: readonly FileReference[];
  readonly profiles?: readonly string[];
  readonly init?: boolean;
  readonly container_name?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  /** `name=address` pairs, as Compose prints them. */
  readonly extra_hosts?: readonly string[];
  readonly dns?: readonly string[];
  readonly dns_search?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly ulimits?: Readonly<Record<string, Ulimit>>;
  readonly shm_size?: string;
  readonly mem_limit?: string;
  readonly mem_reservation?: string;
  readonly memswap_limit?: string;
  readonly mem_swappiness?: string;
  readonly cpus?: number;
  readonly cpu_shares?: number;
  readonly cpu_quota?: number;
  readonly cpu_period?: number;
  readonly cpuset?: string;
  readonly pids_limit?: number;
  readonly oom_kill_disable?: boolean;
  readonly oom_score_adj?: number;
  readonly restart?: string;
  readonly logging?: Logging;
  readonly tty?: boolean;
  readonly stdin_open?: boolean;
  readonly privileged?: boolean;
  readonly group_add?: readonly string[];
  readonly devices?: readonly Device[];
  readonly platform?: string;
  readonly pull_policy?: string;
  readonly attach?: boolean;
  /** Run in an instance when it is healthy, before it gets traffic. */
  readonly post_start?: readonly LifecycleHook[];
  /** Run in an instance when it has left traffic, before its stop signal. */
  readonly pre_stop?: readonly LifecycleHook[];
  /** Validated `x-bascule`; `{}` where there is none. */
  readonly settings: ServiceSettings;
  /** `x-*` keys, as written. */
  readonly [extension: `x-${string}`]: unknown;

  // Modelled, and refused by `assertSupported` (links: only those with an alias).
  readonly links?: readonly string[];
  readonly external_links?: readonly string[];
  readonly volumes_from?: readonly string[];
  readonly ipc?: string;
  readonly pid?: string | null;
  readonly uts?: string;
  readonly cgroup?: string;
  readonly cgroup_parent?: string;
  readonly userns_mode?: string;
  readonly runtime?: string;
  readonly isolation?: string;
  readonly mac_address?: string;
  readonly cpu_count?: number;
  readonly cpu_percent?: number;
  readonly cpu_rt_period?: number;
  readonly cpu_rt_runtime?: number;
  readonly blkio_config?: unknown;
  readonly credential_spec?: unknown;
  readonly device_cgroup_rules?: readonly string[];
  readonly gpus?: unknown;
  readonly models?: unknown;
  readonly provider?: unknown;
  readonly pull_refresh_after?: string;
  readonly storage_opt?: Readonly<Record<string, string>>;
  readonly use_api_socket?: boolean;
  /** For `docker compose watch`; no part of a release. */
  readonly develop?: unknown;
}

/** A command that is run in an instance. */
export interface LifecycleHook {
  readonly command: readonly string[] | null;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly working_dir?: string;
  readonly environment?: Readonly<Record<string, string | null>>;
}

export interface Build {
  /** Absolute folder, or a URL (unsupported for now). */
  readonly context: string;
  /** Relative to the context unless absolute. Absent when dockerfile_inline is given. */
  readonly dockerfile?: string;
  readonly dockerfile_inline?: string;
  readonly target?: string;
  readonly args?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly network?: string;
  readonly no_cache?: boolean;
  readonly pull?: boolean;
  readonly tags?: readonly string[];
  readonly extra_hosts?: readonly string[];
  readonly shm_size?: string;
  readonly [extension: `x-${string}`]: unknown;

  // Modelled, and refused by `assertSupported`.
  readonly additional_contexts?: Readonly<Record<string, string>>;
  readonly secrets?: readonly FileReference[];
  readonly platforms?: readonly string[];
  readonly ssh?: readonly string[];
  readonly cache_from?: readonly string[];
  readonly cache_to?: readonly string[];
  readonly entitlements?: readonly string[];
  readonly isolation?: string;
  readonly privileged?: boolean;
  readonly provenance?: string;
  readonly sbom?: string;
  readonly ulimits?: Readonly<Record<string, Ulimit>>;
}

export interface EnvFile {
  readonly path: string;
  readonly required?: boolean;
  readonly format?: string;
}

export interface Port {
  readonly mode?: string;
  readonly name?: string;
  readonly host_ip?: string;
  readonly target: number;
  /** A port, or a range `8000-8010` to choose from; absent: chosen by the host. */
  readonly published?: string;
  readonly protocol?: string;
  readonly app_protocol?: string;
}

interface MountBase {
  readonly target: string;
  readonly read_only?: boolean;
  readonly consistency?: string;
}
export interface BindMount extends MountBase {
  readonly type: 'bind';
  readonly source: string;
  readonly bind?: {
    readonly propagation?: string;
    readonly create_host_path?: boolean;
    readonly recursive?: string;
    readonly selinux?: string;
  };
}
export interface VolumeMount extends MountBase {
  readonly type: 'volume';
  /** Key of `Project.volumes`; absent: an anonymous volume. */
  readonly source?: string;
  readonly volume?: {
    readonly nocopy?: boolean;
    readonly subpath?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}
export interface TmpfsMount extends MountBase {
  readonly type: 'tmpfs';
  /** `size` in bytes as a decimal string, `mode` as a decimal number. */
  readonly tmpfs?: { readonly size?: string; readonly mode?: number };
}
export interface OtherMount extends MountBase {
  readonly type: 'npipe' | 'cluster' | 'image';
  readonly source?: string;
  readonly image?: { readonly subpath?: string };
}
export type ServiceVolume = BindMount | VolumeMount | TmpfsMount | OtherMount;

export interface ServiceNetwork {
  readonly aliases?: readonly string[];
  readonly ipv4_address?: string;
  readonly ipv6_address?: string;
  readonly link_local_ips?: readonly string[];
  readonly mac_address?: string;
  readonly priority?: number;
  readonly gw_priority?: number;
  readonly interface_name?: string;
  readonly driver_opts?: Readonly<Record<string, string>>;
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';
export interface Dependency {
  readonly condition: DependencyCondition;
  readonly restart?: boolean;
  readonly required: boolean;
}

export interface Healthcheck {
  /** `['CMD', …]`, `['CMD-SHELL', text]` or `['NONE']`. */
  readonly test?: readonly string[];
  readonly timeout?: string;
  readonly interval?: string;
  readonly retries?: number;
  readonly start_period?: string;
  readonly start_interval?: string;
  readonly disable?: boolean;
}

export interface Deploy {
  readonly mode?: string;
  readonly replicas?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly update_config?: UpdateConfig;
  readonly rollback_config?: UpdateConfig;
  readonly resources: { readonly limits?: ResourceLimits; readonly reservations?: ResourceLimits };
  readonly restart_policy?: RestartPolicy;
  readonly placement: Readonly<Record<string, unknown>>;
  readonly endpoint_mode?: string;
}
export interface UpdateConfig {
  readonly parallelism?: number;
  readonly delay?: string;
  readonly failure_action?: string;
  readonly monitor?: string;
  readonly max_failure_ratio?: number;
  readonly order?: string;
}
export interface ResourceLimits {
  readonly cpus?: number;
  /** Bytes, as a decimal string. */
  readonly memory?: string;
  readonly pids?: number;
  readonly devices?: readonly Readonly<Record<string, unknown>>[];
  readonly generic_resources?: readonly Readonly<Record<string, unknown>>[];
}
export interface RestartPolicy {
  readonly condition?: string;
  readonly delay?: string;
  readonly max_attempts?: number;
  readonly window?: string;
}

/** A service's use of a config or a secret. */
export interface FileReference {
  readonly source: string;
  /** Configs without one stand at `/<source>`; secrets always have an absolute one. */
  readonly target?: string;
  readonly uid?: string;
  readonly gid?: string;
  /** Octal text as Compose prints it: `"0440"`. */
  readonly mode?: string;
}

/** `0` counts as given. Compose prints a plain number, or both limits. */
export type Ulimit = number | { readonly soft: number; readonly hard: number };

export interface Logging {
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
}
export interface Device {
  readonly source: string;
  readonly target?: string;
  readonly permissions?: string;
}
