import type { Writable } from 'node:stream';
import type { StrategyName } from '../compose/index.ts';
import type { TerminalSize } from '../fleet/index.ts';
import type { ReleaseState } from '../release/index.ts';
import type { Failure, LedgerStep, PlannedStep, PortView, RolloutKind, RolloutResult } from './outcome.ts';
import type { Verdict } from './judge/analysis/index.ts';

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

export interface LogLine {
  readonly service: string;
  readonly instance: string;
  readonly release: number;
  readonly stream: 'stdout' | 'stderr';
  readonly at: Date;
  /** Without its newline. */
  readonly text: string;
}

export interface ExecSession {
  readonly instance: string;
  readonly stdin: Writable;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  /** The exit code. */
  readonly exit: Promise<number>;
  resize(size: TerminalSize): Promise<void>;
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
