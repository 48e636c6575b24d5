import type { Writable } from 'node:stream';
import type { Project } from '../compose/index.ts';
import type { ReleaseState } from '../release/index.ts';
import type { Failure, PlannedStep, PortView, RolloutKind, RolloutOutcome, RolloutResult } from './outcome.ts';
import type { ProgressEvent } from './progress.ts';

/** The delivery wing as the server and the CLI see it. All values are plain data (dates are Date). */
export interface Delivery {
  /** Builds, freezes a release, starts it beside the one that serves, and tips over. The first one just starts. */
  deploy(request: DeployRequest, o: WatchOptions): Promise<RolloutOutcome>;
  /** Builds the images of the services that have `build:`, and nothing else. */
  build(request: DeployRequest, o: WatchOptions): Promise<readonly BuiltImage[]>;
  /** What `deploy` would do. Builds nothing: services to be built count as changed unless `build` is false. */
  plan(request: DeployRequest): Promise<PlanView>;
  rollback(request: RollbackRequest, o: WatchOptions): Promise<RolloutOutcome>;
  down(request: DownRequest, o: WatchOptions): Promise<RolloutOutcome>;

  /** Names of the projects that have a release, in alphabetical order. */
  projects(): readonly string[];
  /** @throws UserError `project-not-found` */
  ps(project: string): Promise<ProjectView>;
  /** Newest first. @throws UserError `project-not-found` */
  releases(project: string): Promise<readonly ReleaseView[]>;
  /** Lines of all instances merged in the order of time; ends with the signal, or when nothing more comes. */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  exec(request: ExecRequest): Promise<ExecSession>;
  /** The evidence of a rollout, the latest by default. @throws UserError `ledger-not-found` */
  ledger(project: string, rollout?: number): Promise<Ledger>;
  /** Newest first. @throws UserError `project-not-found` */
  ledgers(project: string): Promise<readonly Ledger[]>;
  /** The rollout that runs at this moment, if any. */
  running(project: string): RunningRollout | undefined;

  /**
   * At daemon start: adopts the proxy; each rollout whose journal is open goes on in the background, forward or back;
   * timers and watchers begin. Its project is held from the call on, so that requests may be taken at once.
   */
  resume(): Promise<void>;
  /** When the rollouts that `resume` found have ended, and what a crash left behind is gone. */
  settled(): Promise<void>;
  /** Stops timers and watchers, lets the step at hand end. Touches nothing that serves. */
  close(): Promise<void>;
}

export interface WatchOptions {
  onProgress(event: ProgressEvent): void;
  /** Ctrl-C: what was begun is undone, what served keeps serving. After the switch it has no effect. */
  readonly signal: AbortSignal;
}

export interface DeployRequest {
  readonly project: Project;
  readonly author: string;
  readonly sourceRevision?: string;
  /** false: services with `build:` use the image that exists. */
  readonly build: boolean;
  readonly noCache?: boolean;
  /** Deploy even when nothing changed; every stateless set is started anew. */
  readonly force: boolean;
  /** Values for configs and secrets that say `environment:`. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface RollbackRequest {
  readonly project: string;
  /** Default: the release that served before the current one. */
  readonly release?: number;
  readonly author: string;
}

export interface DownRequest {
  readonly project: string;
  /** Volumes of the project too. */
  readonly volumes: boolean;
  readonly author: string;
}

export interface BuiltImage {
  readonly service: string;
  readonly imageId: string;
  readonly imageName: string;
}

export interface PlanView {
  readonly project: string;
  readonly kind: RolloutKind;
  readonly from?: number;
  readonly to?: number;
  readonly unchanged: boolean;
  readonly steps: readonly PlannedStep[];
  readonly warnings: readonly string[];
}

export interface ProjectView {
  readonly project: string;
  /** undefined: nothing serves. */
  readonly release?: number;
  readonly warm: readonly { readonly release: number; readonly until: Date }[];
  readonly rollout?: RunningRollout;
  readonly ports: readonly PortView[];
  readonly instances: readonly InstanceView[];
}

export interface InstanceView {
  readonly name: string;
  readonly id: string;
  readonly service: string;
  /** The release that started it; a carried-over instance serves later ones too. */
  readonly release: number;
  readonly role: 'current' | 'warm' | 'candidate' | 'leaving';
  /** Docker's word: `running`, `restarting`, `exited` … */
  readonly state: string;
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly exitCode?: number;
  readonly image: string;
  readonly address?: string;
  readonly startedAt?: Date;
  readonly restarts: number;
}

export interface ReleaseView {
  readonly project: string;
  readonly number: number;
  readonly state: ReleaseState;
  readonly warmUntil?: Date;
  readonly createdAt: Date;
  readonly author: string;
  readonly sourceRevision?: string;
  readonly predecessor?: number;
  readonly services: readonly {
    readonly name: string;
    readonly image: string;
    readonly imageId: string;
    readonly replicas: number;
    readonly stateful: boolean;
    readonly identity: string;
  }[];
}

export interface LogQuery {
  readonly project: string;
  /** Empty: all. */
  readonly services: readonly string[];
  readonly follow: boolean;
  /** Lines from the end of each instance; undefined: all. */
  readonly tail?: number;
  readonly since?: Date;
}

export interface LogLine {
  readonly service: string;
  readonly instance: string;
  readonly release: number;
  readonly stream: 'stdout' | 'stderr';
  readonly at: Date;
  /** Without its newline. */
  readonly text: string;
}

export interface ExecRequest {
  readonly project: string;
  readonly service: string;
  /** Which instance of the service, from 1 (default 1). */
  readonly index?: number;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly tty: boolean;
  readonly attachStdin: boolean;
}

export interface ExecSession {
  readonly instance: string;
  readonly stdin: Writable;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  /** The exit code. */
  readonly exit: Promise<number>;
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>;
}

export interface RunningRollout {
  readonly rollout: number;
  readonly kind: RolloutKind;
  readonly author: string;
  readonly startedAt: Date;
  readonly from?: number;
  readonly to?: number;
  /** The step at hand; undefined while images are built. */
  readonly step?: PlannedStep;
  readonly undoing: boolean;
}

export interface Ledger {
  readonly project: string;
  readonly rollout: number;
  readonly kind: RolloutKind;
  readonly author: string;
  readonly from?: number;
  readonly to?: number;
  readonly startedAt: Date;
  readonly endedAt?: Date;
  readonly result: RolloutResult | 'running';
  readonly failure?: Failure;
  readonly steps: readonly LedgerStep[];
  readonly switchMs?: number;
  readonly traffic: readonly LedgerTraffic[];
  readonly totals: { readonly requests: number; readonly lost: number };
}

export interface LedgerStep extends PlannedStep {
  readonly undoing: boolean;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly durationMs?: number;
  readonly outcome: 'pending' | 'running' | 'done' | 'failed' | 'skipped';
  readonly reason?: string;
}

/** What one set's lane saw while the rollout ran (and after it, until the old set was retired). */
export interface LedgerTraffic {
  readonly lane: string;
  readonly service: string;
  readonly release: number;
  readonly requests: number;
  /** Connection errors, answers that the proxy had to make up, bodies cut off. */
  readonly lost: number;
  readonly connectionErrors: number;
  readonly proxyErrors: number;
  readonly retries: number;
}
