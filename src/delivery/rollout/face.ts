import type { Writable } from 'node:stream';
import type { Project, StrategyName } from '../compose/index.ts';
import type { ReleaseState } from '../release/index.ts';
import type { Failure, PlannedStep, PortView, RolloutKind, RolloutOutcome, RolloutResult } from './outcome.ts';
import type { Verdict } from './judge/analysis/index.ts';
import type { ProbeReport } from './ledger/probes/index.ts';
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

/** A rollout as somebody sees it who looks on. */
export interface RolloutStatus {
  readonly project: string;
  readonly rollout: number;
  readonly kind: RolloutKind;
  readonly strategy?: StrategyName;
  readonly author: string;
  readonly from?: number;
  readonly to?: number;
  readonly startedAt: Date;
  readonly endedAt?: Date;
  /** `paused`: a person said so. `waiting`: for a person (`promote`), or for evidence. */
  readonly state: 'running' | 'paused' | 'waiting' | 'undoing' | 'ended';
  /** Why it waits or is paused, in one sentence. */
  readonly note?: string;
  readonly steps: readonly LedgerStep[];
  /** The canary stage at hand. */
  readonly stage?: {
    readonly stage: number;
    readonly stages: number;
    /** Basis points; what a person has set stands before what the plan says. */
    readonly weight: number;
    readonly until: { readonly forMs?: number; readonly requests?: number; readonly confirmed?: boolean };
    readonly elapsedMs: number;
  };
  readonly routes: readonly { readonly route: string; readonly service: string; readonly weight: number }[];
  readonly sides?: { readonly stable: SideView; readonly candidate: SideView };
  /** What the analysis says now; see analysis/. */
  readonly verdict?: Verdict;
  readonly guards: readonly GuardView[];
  readonly result?: RolloutResult;
  readonly failure?: Failure;
}

/** What one side answered since the rollout moved its first request. */
export interface SideView {
  readonly release: number;
  readonly requests: number;
  /** Over the last seconds. */
  readonly perSecond: number;
  readonly failed: number;
  readonly slow: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
}

/** An absolute condition: instances that crash, queries and commands with thresholds. */
export interface GuardView {
  readonly name: string;
  readonly state: 'ok' | 'failed' | 'unknown';
  readonly value?: number;
  readonly detail: string;
}

/** A release with all that was frozen, secrets left out. */
export interface ReleaseDetail extends ReleaseView {
  /** The Compose model, as YAML text. */
  readonly compose: string;
  readonly files: readonly { readonly name: string; readonly kind: 'config' | 'secret'; readonly version: string }[];
  readonly rollouts: readonly number[];
}

export interface ReleaseDiff {
  readonly project: string;
  readonly from: number;
  readonly to: number;
  readonly changes: readonly {
    /** `services.web.image`, `secrets.token` … */
    readonly path: string;
    readonly kind: 'added' | 'removed' | 'changed';
    /** Values as text; contents of secrets never. */
    readonly before?: string;
    readonly after?: string;
  }[];
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
  /** How it would go: what has nothing to do step by step is one switch, as in `blue-green`. */
  readonly strategy?: StrategyName;
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
  /** A person took it out of traffic. */
  readonly isOut?: boolean;
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
  readonly strategy?: StrategyName;
  /** Commit or other name of the source of the release that was to serve. */
  readonly revision?: string;
  readonly steps: readonly LedgerStep[];
  readonly switchMs?: number;
  readonly controls: readonly LedgerControl[];
  /** What the proxy counted, lane by lane, until the next rollout began. */
  readonly traffic: readonly LedgerTraffic[];
  /** What the requests of clients tell that were seen one by one, while the rollout ran and for 30 seconds after it. */
  readonly sides: readonly LedgerSide[];
  readonly probes: readonly LedgerProbe[];
  readonly verdict?: Verdict;
  readonly guards: readonly GuardView[];
  /** `lost`: the highest of what counters, requests and probes say; see docs/ledger.md. */
  readonly totals: { readonly requests: number; readonly lost: number; readonly appErrors: number };
  /** Why the numbers say less than they seem to, one sentence each. */
  readonly doubts: readonly string[];
  /** Not in lists. */
  readonly series?: LedgerSeries;
}

/** What somebody told the rollout. */
export interface LedgerControl {
  readonly at: Date;
  readonly author: string;
  readonly action: ControlRequest['action']['kind'];
  /** Basis points. */
  readonly weight?: number;
  readonly reason?: string;
}

/** `carried`: sets that serve in the release before and in the one after. */
export interface LedgerSide extends LedgerFigures {
  readonly side: 'stable' | 'candidate' | 'carried';
  readonly services: readonly (LedgerFigures & { readonly service: string; readonly release: number })[];
}

export interface LedgerFigures {
  readonly requests: number;
  /** Clients that went away before any answer. */
  readonly left: number;
  /** Long answers and connections that were cut at their declared drain deadline: not lost. */
  readonly drained: number;
  readonly lost: number;
  readonly losses: Readonly<Record<'refused' | 'reset' | 'truncated' | 'proxy-error', number>>;
  /** 5xx answers of the application itself: shown, not lost. */
  readonly appErrors: number;
  /** Until the first byte of the answer, right to 1 %; absent without answers. */
  readonly latencyMs?: Readonly<Record<'p50' | 'p90' | 'p95' | 'p99' | 'max', number>>;
}

/** A built-in probe of the front door. */
export interface LedgerProbe extends ProbeReport {
  readonly lost: number;
}

export interface LedgerSeries {
  readonly stepMs: number;
  readonly points: readonly LedgerPoint[];
}

export interface LedgerPoint {
  /** Where the step begins, in milliseconds since 1970. */
  readonly atMs: number;
  readonly stable?: LedgerPointSide;
  readonly candidate?: LedgerPointSide;
  readonly carried?: LedgerPointSide;
  /** Basis points that the candidate had, while both sides were compared. */
  readonly weight?: number;
  /** Decimal logarithms of the e-values. */
  readonly evidence?: readonly { readonly metric: string; readonly worse: number; readonly notWorse: number }[];
}

export interface LedgerPointSide {
  readonly requests: number;
  readonly lost: number;
  readonly appErrors: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
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
