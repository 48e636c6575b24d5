import type { DatabaseSync } from 'node:sqlite';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../../lib/log.ts';
import type { Digest } from '../../lib/oci/index.ts';
import type { Scope } from '../../lib/scope.ts';
import type { ImageStore, Layer } from '../image/index.ts';
import type { Endpoint, EndpointRequest, Networks } from '../network/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Container, ContainerSpec, MountSpec, Resources, RestartPolicy } from './container.ts';
import type { LogBatch } from './log-format.ts';

export interface RuntimeOptions {
  readonly scope: Scope;
  /** `<root>/engine`; the runtime keeps `containers/<id>/` in it. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly log: Log;
}

/** A piece of a container's output, its bytes as they were written, line ends included. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  readonly at: Date;
  readonly data: Buffer;
}

export interface LogsOptions {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly since?: Date;
  readonly until?: Date;
  /** The last so many lines; absent: all. */
  readonly tail?: number;
  readonly signal?: AbortSignal;
}

export interface StopOptions {
  /** Absent: the container's own. Negative: wait without end. */
  readonly timeoutSeconds?: number;
  /** Instead of the container's stop signal. */
  readonly signal?: string;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  readonly exitCode: number;
  readonly error?: string;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Begins with what was said before. */
  readonly logs: boolean;
  /** Live output; without it the output ends with what is there. */
  readonly stream: boolean;
  readonly signal?: AbortSignal;
}

export interface Attachment {
  /** Ending it closes the container's standard input where the container asks for that (`stdinOnce`). */
  readonly stdin?: Writable;
  /** Ends when the container does. */
  readonly output: AsyncIterable<OutputPiece>;
  close(): void;
}

export interface ExecRequest {
  readonly args: readonly string[];
  readonly env?: readonly string[];
  /** Absent: the container's. */
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly tty?: boolean;
  readonly attachStdin?: boolean;
  readonly privileged?: boolean;
  readonly detachKeys?: string;
}

export interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecRequest;
  readonly running: boolean;
  /** Absent until it ended. */
  readonly exitCode?: number;
  /** On this host; 0 where it is not running. */
  readonly pid: number;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecStreams {
  readonly stdin: Writable;
  /** Ends when the process has ended and all is read. */
  readonly output: AsyncIterable<OutputPiece>;
  readonly exit: Promise<number>;
  /** Kills the process. */
  kill(): void;
}

export interface Processes {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Change {
  readonly kind: 'modified' | 'added' | 'deleted';
  readonly path: string;
}

/** Absolute counters since the container's start, as the control groups and /proc have them. */
export interface Statistics {
  readonly readAt: Date;
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    /** Of the whole machine, all CPUs together. */
    readonly hostNs: number;
    readonly onlineCpus: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    /** Of the machine where the container has none. */
    readonly limitBytes: number;
    /** Page cache that can be dropped: docker stats takes it off the usage. */
    readonly inactiveFileBytes: number;
    readonly maxUsageBytes: number;
    readonly statistics: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number };
  readonly io: { readonly readBytes: number; readonly writtenBytes: number };
  readonly networks: Readonly<Record<string, NetworkStatistics>>;
  readonly cgroupVersion: 1 | 2;
}

export interface NetworkStatistics {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receiveErrors: number;
  readonly receiveDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sendErrors: number;
  readonly sendDropped: number;
}

export interface PathStat {
  readonly name: string;
  readonly sizeBytes: number;
  /** As in `st_mode`. */
  readonly mode: number;
  readonly modifiedAt: Date;
  /** Empty where it is not a link. */
  readonly linkTarget: string;
}

/** Docker's container and exec events; `attributes` are Docker's: image, name, labels, exitCode … */
export interface ContainerEvent {
  readonly action: ContainerAction;
  readonly containerId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly at: Date;
}

export type ContainerAction =
  | 'create'
  | 'start'
  | 'die'
  | 'stop'
  | 'kill'
  | 'oom'
  | 'destroy'
  | 'restart'
  | 'rename'
  | 'update'
  | 'pause'
  | 'unpause'
  | 'attach'
  | 'exec_die'
  | `health_status: ${string}`
  | `exec_create: ${string}`
  | `exec_start: ${string}`;

export interface UpdateRequest {
  readonly resources?: Resources;
  readonly restartPolicy?: RestartPolicy;
}

export interface TarOptions<About extends readonly unknown[]> {
  /** Called once all is there; gives where the tar goes. It is not ended; a socket is written by tar itself. */
  begin(...about: About): Promise<Writable>;
  readonly signal?: AbortSignal;
}

export type StepNetwork =
  | 'none'
  | 'host'
  | { readonly namespacePath: string; readonly resolvConf: string; readonly hosts: string };

/** One build step: a process in a root file system that is mounted already. */
export interface StepRequest {
  readonly id?: string;
  /** A mounted root file system; it becomes the root of the process. */
  readonly rootDirectory: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  readonly network: StepNetwork;
  readonly mounts?: readonly MountSpec[];
  readonly hostname?: string;
  readonly shmSizeBytes?: number;
  readonly extraHosts?: readonly string[];
  readonly resources?: Resources;
  /** With all capabilities and devices, as a privileged container. */
  readonly isPrivileged?: boolean;
  onOutput(stream: 'stdout' | 'stderr', data: Buffer): void;
  readonly signal?: AbortSignal;
}

export interface StepResult {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

/** What runs containers on this machine. */
export interface RuntimeInfo {
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
  readonly cgroupVersion: 1 | 2;
  readonly initBinary: string;
}

export interface RuntimeCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do; empty when all is well. */
  readonly fix: string;
}

/**
 * Containers over conmon and runc (or crun). Names are what Docker takes: name, id, unambiguous beginning of an id.
 * Every method that names a container throws UserError `container-not-found` ("No such container: x").
 */
export interface Runtime {
  /** Records and folders only; nothing is mounted yet. @throws UserError `container-name-taken`, `container-invalid` */
  create(spec: ContainerSpec): Promise<Container>;
  /** Nothing happens where it runs already. @throws UserError `start-failed`, `command-not-found` (details.exitCode 127), `command-not-executable` (126) … */
  start(id: string): Promise<void>;
  stop(id: string, o?: StopOptions): Promise<void>;
  /** @throws UserError `container-not-running`, `signal-invalid` */
  kill(id: string, signal?: string): Promise<void>;
  restart(id: string, o?: StopOptions): Promise<void>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  rename(id: string, name: string): Promise<void>;
  update(id: string, request: UpdateRequest): Promise<void>;
  /** @throws UserError `container-running` */
  remove(id: string, o: { readonly force: boolean; readonly removeVolumes: boolean }): Promise<void>;

  list(): readonly Container[];
  find(nameOrId: string): Container | undefined;
  get(nameOrId: string): Container;
  wait(id: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult>;

  logs(id: string, o: LogsOptions): AsyncIterable<OutputPiece>;
  /** The same, many lines at once. */
  logBatches(id: string, o: LogsOptions): AsyncIterable<LogBatch>;
  /** Streams of a container that runs, or is about to: attach first, then start, loses nothing. */
  attach(id: string, o: AttachOptions): Promise<Attachment>;
  /** Size of the terminal of a container that has one. */
  resize(id: string, size: TerminalSize): Promise<void>;

  createExec(containerId: string, request: ExecRequest): Exec;
  /** @throws UserError `exec-not-found`, `exec-started`, `container-not-running` */
  startExec(execId: string, o?: { readonly size?: TerminalSize }): Promise<ExecStreams>;
  inspectExec(execId: string): Exec;
  resizeExec(execId: string, size: TerminalSize): Promise<void>;

  /** `docker top`. */
  top(id: string, psArguments?: readonly string[]): Promise<Processes>;
  /** `docker diff`. */
  changes(id: string): Promise<readonly Change[]>;
  /** Undefined where it does not run. */
  statistics(id: string): Promise<Statistics | undefined>;
  /** Bytes in the container's own layer. */
  sizeOf(id: string): Promise<number>;
  statPath(id: string, path: string): Promise<PathStat>;
  /** Writes a tar of the path, named by its last part. */
  copyOut(id: string, path: string, o: TarOptions<[stat: PathStat]>): Promise<void>;
  /** Unpacks a tar into a folder. */
  copyIn(id: string, path: string, tar: Readable): Promise<void>;
  /** Writes a tar of the whole root. */
  exportRoot(id: string, o: TarOptions<[]>): Promise<void>;
  /** A layer of what the container wrote (`docker commit`); undefined where it wrote nothing. */
  sealLayer(id: string): Promise<Layer | undefined>;

  /** For a container that runs: its sandbox; else what the next start does. */
  connect(id: string, request: EndpointRequest): Promise<Endpoint | undefined>;
  disconnect(id: string, network: string, o?: { readonly force?: boolean }): Promise<void>;

  /** Called after the change is stored. */
  onEvent(listener: (event: ContainerEvent) => void): void;
  /** One build step by `runc run`, without conmon. A command that is not there gives 127, one that cannot run 126. */
  runStep(o: StepRequest): Promise<StepResult>;
  isImageUsed(id: Digest): boolean;
  isVolumeUsed(name: string): boolean;
  /** Names of the containers that use a volume. */
  usersOfVolume(name: string): readonly string[];

  info(): RuntimeInfo;
  check(): Promise<readonly RuntimeCheck[]>;
  /**
   * At start: containers that live are adopted, exits that happened meanwhile are recorded,
   * restart policies are applied, leftovers of a crash are cleaned.
   */
  adopt(): Promise<void>;
  /** Stops watching; never stops a container. */
  close(): Promise<void>;
}
