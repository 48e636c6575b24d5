import type { StrategyName } from '../compose/index.ts';
import type { Failure, LedgerStep, RolloutKind, RolloutResult } from './outcome.ts';
import type { Verdict } from './judge/analysis/index.ts';
import type { ProbeReport } from './ledger/probes/index.ts';
import type { GuardView } from './views.ts';

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
  readonly action: 'pause' | 'resume' | 'promote' | 'abort' | 'weight';
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
