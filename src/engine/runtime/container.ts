import type { Digest, HealthcheckConfig } from '../../lib/oci/index.ts';
import type { EndpointRequest, PortRequest, Sandbox } from '../network/index.ts';

/**
 * What a container is made from, resolved: the image's defaults are merged already.
 * Fixed at creation, but for the name, the resources and the restart policy (`rename`, `update`).
 */
export interface ContainerSpec {
  /** Without Docker's leading slash. */
  readonly name: string;
  readonly imageId: Digest;
  /** As the user named it, e.g. `debian:bookworm`. */
  readonly imageName: string;
  /** Entrypoint and command. */
  readonly args: readonly string[];
  /** `KEY=value`. */
  readonly env: readonly string[];
  /** Empty: `/`. Made where it does not exist. */
  readonly workingDirectory: string;
  /** `user[:group]`, names or numbers; empty: root. */
  readonly user: string;
  readonly tty: boolean;
  /** Of the terminal, from its first moment on; absent: as the client sets it later. */
  readonly consoleSize?: { readonly columns: number; readonly rows: number };
  readonly openStdin: boolean;
  /** Whether standard input closes for good when the first client lets go of it (Docker's `StdinOnce`). */
  readonly stdinOnce?: boolean;
  /** Empty: the first 12 digits of the id. */
  readonly hostname: string;
  readonly domainname?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `SIGTERM`, `TERM` or a number; empty: SIGTERM. */
  readonly stopSignal: string;
  readonly stopTimeoutSeconds: number;
  readonly healthcheck?: HealthcheckConfig;
  readonly restartPolicy: RestartPolicy;
  readonly autoRemove: boolean;
  readonly init: boolean;
  readonly mounts: readonly MountSpec[];
  readonly readOnlyRoot: boolean;
  readonly resources: Resources;
  readonly shmSizeBytes: number;
  readonly security: Security;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly devices: readonly DeviceSpec[];
  /** Names or numbers of additional groups. */
  readonly groupAdd: readonly string[];
  readonly network: NetworkSpec;
  readonly logDriver: LogDriver;
  /** `host` or `container:<id>` share; absent or `private`: an own one. For `ipcMode`, `none` has no /dev/shm. */
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly utsMode?: string;
  /** Absent: as control groups of this version have it (1: `host`, 2: `private`). */
  readonly cgroupNamespace?: 'host' | 'private';
  /** Other containers by a name of their own (`--link`). */
  readonly links?: readonly ContainerLink[];
  /** Of the control group, e.g. `c 1:3 rwm` (`--device-cgroup-rule`). */
  readonly deviceRules?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly oomScoreAdj?: number;
  /** The OCI runtime, by name; absent: this machine's fastest. */
  readonly runtime?: 'runc' | 'crun';
  /** As the client sent it, for inspection. */
  readonly docker: {
    readonly Config: object;
    readonly HostConfig: object;
    readonly NetworkingConfig?: object;
  };
}

export interface ContainerLink {
  readonly containerId: string;
  readonly alias: string;
  /** The network on which the two meet. */
  readonly network: string;
}

export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** For `on-failure`; 0: without end. */
  readonly maximumRetryCount: number;
}

export type MountSpec =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
      /** Makes the source a folder where it does not exist (`-v`); without it that is an error (`--mount`). */
      readonly createSource?: boolean;
      /** False: without what is mounted below the source. */
      readonly recursive?: boolean;
    }
  | {
      readonly type: 'volume';
      readonly name: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** Leaves a new volume empty, instead of giving it what the image has at the target. */
      readonly noCopy: boolean;
      /** A folder or file of the volume instead of the whole. */
      readonly subpath?: string;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      /** Permission bits, e.g. 0o1777. */
      readonly mode?: number;
      /** Further mount options, e.g. `uid=1000`, `exec`. */
      readonly options?: readonly string[];
    };

/** Limits of a container; what is absent or 0 is not limited. */
export interface Resources {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1: swap without limit. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly memorySwappiness?: number;
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  /** Microseconds in each period. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** -1: without limit. */
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly ulimits?: readonly Ulimit[];
  readonly oomKillDisable?: boolean;
}

export interface Ulimit {
  /** Without `RLIMIT_`, lower case, e.g. `nofile`. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

export interface Security {
  readonly privileged: boolean;
  /** With or without `CAP_`; `ALL`. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Docker's default profile, none, or a profile in Docker's JSON format. */
  readonly seccomp: 'default' | 'unconfined' | object;
  /** Absent: as the machine has it for everybody. */
  readonly apparmorProfile?: string;
  /** Absent: Docker's list. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
}

export interface DeviceSpec {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Some of `rwm`. */
  readonly permissions: string;
}

export type NetworkSpec =
  | { readonly mode: 'none' }
  | { readonly mode: 'host' }
  | { readonly mode: 'container'; readonly id: string }
  | {
      readonly mode: 'networks';
      readonly endpoints: readonly EndpointRequest[];
      readonly ports: readonly PortRequest[];
      readonly dns: readonly string[];
      readonly dnsSearch: readonly string[];
      readonly dnsOptions?: readonly string[];
      readonly extraHosts: readonly string[];
    };

export interface LogDriver {
  readonly type: 'json-file' | 'local' | 'none';
  /** The log is cut into files of about this size; absent: one file without limit. */
  readonly maxSizeBytes?: number;
  /** Files that are kept, the current one among them. */
  readonly maxFiles?: number;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** Of the container's first process on this host; 0 where none runs. */
  readonly pid: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why the last start failed; empty when it did not. */
  readonly error: string;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly health?: Health;
  /** Restarts by the restart policy since the user started it. */
  readonly restartCount: number;
}

export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly HealthEntry[];
}

export interface HealthEntry {
  readonly start: Date;
  readonly end: Date;
  readonly exitCode: number;
  /** At most 4,096 bytes. */
  readonly output: string;
}

/** A container as it is now: a value, not a live object. */
export interface Container {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly createdAt: Date;
  readonly state: ContainerState;
  /** `<root>/engine/containers/<id>`. */
  readonly directory: string;
  readonly upperDirectory: string;
  /** Where the root file system is mounted while it runs. */
  readonly rootDirectory: string;
  /** In conmon's format, see `logs`. */
  readonly logPath: string;
  /** While it has a network namespace. */
  readonly sandbox?: Sandbox;
  readonly execIds: readonly string[];
}
