import type { StrategyName } from '../compose/index.ts';
import type { Verdict } from './judge/analysis/index.ts';

/** A step of a plan as people and machines read it. */
export interface PlannedStep {
  /** Counts from 0 within the rollout. */
  readonly index: number;
  /** `create-instance`, `switch-route` … */
  readonly kind: string;
  /** What it does, in one line: `start shop-web-r2-1`. */
  readonly title: string;
  /** Why: `image changed`. */
  readonly cause: string;
}

/**
 * Two are made by Bascule itself: `retire` takes away what nobody needs any more, `heal` replaces instances that are
 * gone or ill.
 */
export type RolloutKind = 'up' | 'deploy' | 'rollback' | 'down' | 'retire' | 'heal';

/** Nobody asked for it: it steps aside for what a person does. */
export function isBackground(kind: RolloutKind): boolean {
  return kind === 'retire' || kind === 'heal';
}

/**
 * `switched`: the new release serves. `unchanged`: there was nothing to do. `removed`: after `down`.
 * `undone`: failed or cancelled, the old release (if any) serves as before; `failure` says why.
 */
export type RolloutResult = 'switched' | 'unchanged' | 'removed' | 'undone';

export interface RolloutOutcome {
  readonly project: string;
  /** Number of the rollout in its project; absent when nothing was done. */
  readonly rollout?: number;
  readonly kind: RolloutKind;
  readonly result: RolloutResult;
  /** The release that serves now. */
  readonly release?: number;
  readonly previous?: number;
  readonly durationMs: number;
  /** From the first map update to the last. */
  readonly switchMs?: number;
  /** Until when the previous release stays warm. */
  readonly warmUntil?: Date;
  readonly ports: readonly PortView[];
  readonly strategy?: StrategyName;
  /** Requests that the lanes taking part answered meanwhile, and those that were lost: any is a fault. */
  readonly totals?: { readonly requests: number; readonly lost: number };
  /** The last word of the analysis. */
  readonly verdict?: Verdict;
  readonly failure?: Failure;
}
// A rollout that ends `undone` throws UserError `rollout-failed` or `rollout-cancelled` after `finished` was
// reported; `details.outcome` holds the RolloutOutcome.

export interface Failure {
  readonly cancelled: boolean;
  /** Of the UserError that ended it: `rollout-worse`, `instance-unhealthy` … */
  readonly code?: string;
  /** The step at which it failed. */
  readonly step?: PlannedStep;
  readonly reason: string;
  readonly fix: string;
  readonly instance?: string;
  /** The last lines that the instance printed. */
  readonly logs: readonly string[];
  /** The last output of its health check. */
  readonly healthOutput?: string;
}

export interface PortView {
  readonly service: string;
  readonly hostAddress?: string;
  readonly published: number;
  readonly target: number;
  readonly protocol: 'http' | 'tcp' | 'udp';
}

/** What became of a step. */
export interface LedgerStep extends PlannedStep {
  readonly undoing: boolean;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly durationMs?: number;
  readonly outcome: 'pending' | 'running' | 'done' | 'failed' | 'skipped';
  readonly reason?: string;
}
