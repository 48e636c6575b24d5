/** What was seen of one side since the last look: counts of requests that have ended. */
export interface SideCounts {
  readonly requests: number;
  /** Of `requests`, those that failed. */
  readonly failed: number;
  /** Of `timed`, those that took longer than the threshold that `slowThresholdOf` gave before the block began. */
  readonly slow: number;
  /** Requests that were held against the threshold; without it all of them were. 0 while there is no threshold. */
  readonly timed?: number;
  /** Of `failed` and of `slow`, those that were the first of their client in this rollout; without it all of them. */
  readonly firstFailed?: number;
  readonly firstSlow?: number;
}

/** One block of concurrent traffic at one weight. */
export interface Block {
  readonly stable: SideCounts;
  readonly candidate: SideCounts;
}

export type Metric = 'errors' | 'slow';

export interface AnalysisSettings {
  /** Chance, at most, that a rollout whose candidate is not worse is ever called `fail`; over all its metrics. */
  readonly alpha: number;
  /** Chance, at most, that a candidate worse than the margin in any one metric is ever called `pass`. */
  readonly beta: number;
  /** Margins of `pass`, absolute: 0.01 allows one percentage point more than the stable side. */
  readonly delta: Readonly<Record<Metric, number>>;
  /** How many times as often as on the stable side is not yet called worse, at least 1: 1.2 lets a fifth more pass. */
  readonly tolerance: Readonly<Record<Metric, number>>;
  readonly metrics: readonly Metric[];
  /** The candidate's first requests warm its caches: they are not compared for slowness, and nothing passes before. */
  readonly minimumRequests: number;
  /**
   * How many requests hang together, e.g. the retries of one user; at least 1. Evidence is divided by it. 1 where each
   * client's hits are counted once, as they are for "worse".
   */
  readonly designEffect: { readonly worse: number; readonly notWorse: number };
}

/** What a metric has seen of one side. */
export interface Seen {
  readonly requests: number;
  readonly hits: number;
}

/** What waits to be compared. */
export interface OpenSeen extends Seen {
  /** Of `hits`, the first of each client. */
  readonly first: number;
}

/** One e-process. */
export interface Capital {
  /** Part of the capital that each bet holds; they sum to 1. */
  readonly held: readonly number[];
  /** Natural logarithm of the whole capital, which is the e-value, now and at its highest. */
  readonly log: number;
  readonly peak: number;
  /** Hits seen so far: they set how fast capital is moved between bets. */
  readonly hits: number;
}

export interface MetricState {
  readonly metric: Metric;
  readonly stable: Seen;
  readonly candidate: Seen;
  /** Counts of looks that had only one side: they wait for the other one. */
  readonly open: { readonly stable: OpenSeen; readonly candidate: OpenSeen };
  readonly worse: Capital;
  readonly notWorse: Capital;
}

/** Plain JSON: it is written into the journal after each look and read back after a crash. */
export interface AnalysisState {
  readonly settings: AnalysisSettings;
  readonly metrics: readonly MetricState[];
}

export type VerdictWord = 'pass' | 'fail' | 'insufficient';

export interface Verdict {
  /** `fail` when any metric failed, `pass` when all passed. */
  readonly verdict: VerdictWord;
  readonly metrics: readonly MetricVerdict[];
}

export interface MetricVerdict {
  readonly metric: Metric;
  readonly verdict: VerdictWord;
  readonly stable: Rate;
  readonly candidate: Rate;
  /** Evidence that the candidate is worse: highest e-value so far, as a decimal logarithm. */
  readonly worse: number;
  /** Evidence that it is not worse by more than the margin: e-value at this look, as a decimal logarithm. */
  readonly notWorse: number;
  /** Decimal logarithms at which the verdict falls. */
  readonly thresholds: { readonly worse: number; readonly notWorse: number };
  /** Requests to the candidate that are still needed for a decision at this share, estimated; only when `insufficient`. */
  readonly stillNeeded?: number;
  /** One plain sentence. */
  readonly reason: string;
}

export interface Rate extends Seen {
  /** 0..1; 0 without requests. */
  readonly rate: number;
}
