import type { Project, StrategyName } from '../compose/index.ts';
import type { TerminalSize } from '../fleet/index.ts';
import type { RolloutOutcome } from './outcome.ts';
import type { ProgressEvent } from './progress.ts';
import type {
  BuiltImage,
  ExecSession,
  InstanceView,
  LogLine,
  PlanView,
  ProjectView,
  ReleaseDetail,
  ReleaseDiff,
  ReleaseView,
  RolloutStatus,
  RunningRollout,
} from './views.ts';
import type { Ledger } from './ledger-view.ts';

/** The delivery wing as the server and the CLI see it. All values are plain data (dates are Date). */
export interface Delivery {
  /** Builds, freezes a release, starts it beside the one that serves, and tips over. The first one just starts. */
  deploy(request: DeployRequest, o: WatchOptions): Promise<RolloutOutcome>;
  /** Builds the images of the services that have `build:`, and nothing else. */
  build(request: DeployRequest, o: WatchOptions): Promise<readonly BuiltImage[]>;
  /** What `deploy` would do. Builds nothing: services to be built count as changed unless `build` is false. */
  plan(request: DeployRequest): Promise<PlanView>;
  rollback(request: RollbackRequest, o: WatchOptions): Promise<RolloutOutcome>;
  /** What `rollback` would do. */
  planRollback(request: RollbackRequest): Promise<PlanView>;
  /** A release like the current one, with other images, numbers of instances, or both; nothing is read or built. */
  amend(request: AmendRequest, o: WatchOptions): Promise<RolloutOutcome>;
  planAmend(request: AmendRequest): Promise<PlanView>;
  down(request: DownRequest, o: WatchOptions): Promise<RolloutOutcome>;

  /**
   * Steers the rollout that runs. It answers at once; `watchRollout` shows the effect.
   * @throws UserError `no-rollout` (conflict) when none runs, `rollout-decided` when it has tipped over already
   */
  control(request: ControlRequest): RolloutStatus;
  /** The rollout that runs, else the last one. @throws UserError `project-not-found`, `ledger-not-found` */
  status(project: string): Promise<RolloutStatus>;
  /** The status at each change and at least each second, until the rollout has ended or the signal fires. */
  watchRollout(project: string, signal: AbortSignal): AsyncIterable<RolloutStatus>;
  /** Takes an instance out of traffic (its requests end first), or puts it back; a release change puts it back too. */
  setInstanceTraffic(request: InstanceTrafficRequest): Promise<InstanceView>;

  /** Names of the projects that have a release, in alphabetical order. */
  projects(): readonly string[];
  /** @throws UserError `project-not-found` */
  ps(project: string): Promise<ProjectView>;
  /** Newest first. @throws UserError `project-not-found` */
  releases(project: string): Promise<readonly ReleaseView[]>;
  /** @throws UserError `release-not-found` */
  release(project: string, number: number): Promise<ReleaseDetail>;
  /** What differs between two releases. @throws UserError `release-not-found` */
  diff(project: string, from: number, to: number): Promise<ReleaseDiff>;
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
  /** Instead of the strategy that the Compose file declares. */
  readonly strategy?: StrategyName;
  /** Images by service, instead of those that the Compose file names or builds. */
  readonly images?: Readonly<Record<string, string>>;
}

export interface AmendRequest {
  readonly project: string;
  readonly author: string;
  /** Image references by service. */
  readonly images?: Readonly<Record<string, string>>;
  /** Numbers of instances by service. */
  readonly replicas?: Readonly<Record<string, number>>;
  readonly strategy?: StrategyName;
}

export interface ControlRequest {
  readonly project: string;
  readonly author: string;
  readonly action:
    | { readonly kind: 'pause' | 'resume' | 'promote' | 'abort' }
    /** Holds this weight (basis points) until `resume` or `promote`. */
    | { readonly kind: 'weight'; readonly weight: number };
}

export interface InstanceTrafficRequest {
  readonly project: string;
  readonly instance: string;
  readonly direction: 'out' | 'in';
  readonly author: string;
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

export interface LogQuery {
  readonly project: string;
  /** Empty: all. */
  readonly services: readonly string[];
  readonly follow: boolean;
  /** Lines from the end of each instance; undefined: all. */
  readonly tail?: number;
  readonly since?: Date;
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
  /** Of the terminal that it begins with. */
  readonly size?: TerminalSize;
  readonly attachStdin: boolean;
}
