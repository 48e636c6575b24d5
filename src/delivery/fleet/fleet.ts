import type { Writable } from 'node:stream';
import type { Build } from '../compose/index.ts';
import type { InstanceSpec, NetworkAttachment } from './instance-spec.ts';
import type { NetworkSpec, VolumeSpec } from './names.ts';

/**
 * The port behind which instances run. One operation is one act on the outside. Each may be repeated: what is there
 * already, or gone already, is success. Names are the identifiers.
 */
export interface Fleet {
  readonly kind: 'docker';
  info(): Promise<FleetInfo>;
  observe(project: string): Promise<FleetState>;
  /** One instance as it is now; undefined when there is none. */
  inspect(instance: string): Promise<ObservedInstance | undefined>;

  /** @throws UserError `build-failed` with the last lines of the output */
  buildImage(build: ImageBuild): Promise<ResolvedImage>;
  /** Finds an image, pulls it where `pull` says so. @throws UserError `image-missing` */
  resolveImage(reference: string, o: ResolveOptions): Promise<ResolvedImage>;
  /** Undefined when there is none; never pulls. */
  findImage(reference: string): Promise<ResolvedImage | undefined>;
  tagImage(imageId: string, reference: string): Promise<void>;
  /** Takes the name away; the image goes with its last name. Held by a container: kept. */
  untagImage(reference: string): Promise<void>;

  createNetwork(network: NetworkSpec): Promise<void>;
  removeNetwork(name: string): Promise<void>;
  connect(instance: string, attachment: NetworkAttachment): Promise<void>;
  disconnect(instance: string, network: string): Promise<void>;
  createVolume(volume: VolumeSpec): Promise<void>;
  removeVolume(name: string): Promise<void>;

  createInstance(spec: InstanceSpec): Promise<void>;
  startInstance(name: string): Promise<void>;
  /**
   * Ends when it has stopped: the stop signal, then SIGKILL after its grace period.
   * @param signal nobody waits any more; it goes on stopping
   */
  stopInstance(name: string, signal?: AbortSignal): Promise<void>;
  /** Kills it if it runs; its anonymous volumes go with it. */
  removeInstance(name: string): Promise<void>;

  logs(instance: string, o: LogOptions): AsyncIterable<LogEntry>;
  exec(instance: string, o: ExecOptions): Promise<ExecStreams>;
  /** What happens to instances of all projects, until the signal. Ends with the engine's connection too. */
  events(signal: AbortSignal): AsyncIterable<FleetEvent>;
}

export interface FleetInfo {
  /** `Bascule` for the embedded engine, else what the engine calls itself. */
  readonly engine: string;
  readonly version: string;
  readonly embedded: boolean;
}

export interface FleetState {
  readonly instances: readonly ObservedInstance[];
  /** The networks of the project's releases. */
  readonly networks: readonly { readonly name: string; readonly release: number }[];
  /** Names of the project's volumes. */
  readonly volumes: readonly string[];
}

export type Health = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface ObservedInstance {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly service: string;
  /** The release that created it. */
  readonly release: number;
  readonly index: number;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly imageId: string;
  /** Docker's word. */
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly exitCode?: number;
  readonly oomKilled: boolean;
  /** What the engine says of a start that failed. */
  readonly error?: string;
  readonly health: Health;
  /** The last output of its health check. */
  readonly healthOutput?: string;
  readonly restarts: number;
  readonly startedAt?: Date;
  /** IPv4 address by network name; networks without one are left out. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Networks it is attached to, running or not. */
  readonly networks: readonly string[];
}

export interface ImageBuild {
  readonly service: string;
  readonly build: Build;
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  readonly platform?: string;
  onOutput(line: string): void;
  readonly signal: AbortSignal;
}

export interface ResolvedImage {
  readonly id: string;
  /** `name@sha256:…` as the registry knows it. */
  readonly repoDigest?: string;
  readonly sizeBytes: number;
}

export interface ResolveOptions {
  readonly pull: 'missing' | 'always' | 'never';
  readonly platform?: string;
  onOutput(line: string): void;
  readonly signal: AbortSignal;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Lines from the end; undefined: all. */
  readonly tail?: number;
  readonly since?: Date;
  readonly signal: AbortSignal;
}

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  readonly at: Date;
  /** One line without its newline. */
  readonly text: string;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly tty: boolean;
  /** Of the terminal that it begins with. */
  readonly size?: TerminalSize;
  readonly attachStdin: boolean;
}

export interface ExecStreams {
  readonly stdin: Writable;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  readonly exit: Promise<number>;
  resize(size: TerminalSize): Promise<void>;
}

export interface FleetEvent {
  /** Docker's word: `start`, `die`, `oom`, `health_status`, `destroy`, `stop` … */
  readonly action: string;
  readonly instance: string;
  readonly project: string;
  readonly at: Date;
}
