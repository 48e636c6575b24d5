/**
 * How a request was lost: `refused` no connection; `reset` the connection ended before a response began;
 * `truncated` it ended within a response; `timeout`; `malformed` not HTTP, or bytes too many; `proxy-error` a 5xx that
 * the proxy made; `app-error` a 5xx of the application.
 */
export type LossKind = 'refused' | 'reset' | 'truncated' | 'timeout' | 'malformed' | 'proxy-error' | 'app-error';

export interface Loss {
  readonly kind: LossKind;
  /** Milliseconds since the load began. */
  readonly atMs: number;
  readonly detail: string;
}

export interface LoadReport {
  readonly durationMs: number;
  /** Requests that came to an end, lost ones too. */
  readonly requests: number;
  /** All losses together; 0 is what the promises speak of. */
  readonly lost: number;
  readonly losses: Readonly<Record<LossKind, number>>;
  /** The first 20. */
  readonly examples: readonly Loss[];
  readonly statuses: Readonly<Record<string, number>>;
  /** Whole responses by their version: see `LoadOptions.version`. */
  readonly versions: Readonly<Record<string, number>>;
  /** How often one client (connection slot) saw another version than just before. */
  readonly versionChanges: number;
  readonly requestsPerSecond: number;
  readonly connectionsOpened: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };
}

const MOST_EXAMPLES = 20;
/** Each bucket of the histogram is 2 % wider than the one before; the first ends at 0.01 ms. */
const GROWTH = Math.log(1.02);

/** Counts what happened to requests. */
export class Tally {
  private readonly startedAt = performance.now();
  private readonly losses: Record<LossKind, number> = {
    refused: 0,
    reset: 0,
    truncated: 0,
    timeout: 0,
    malformed: 0,
    'proxy-error': 0,
    'app-error': 0,
  };
  private readonly examples: Loss[] = [];
  private readonly statuses: Record<string, number> = {};
  private readonly versions: Record<string, number> = {};
  private readonly histogram = new Uint32Array(1_024);
  private maxMs = 0;
  requests = 0;
  versionChanges = 0;
  connectionsOpened = 0;

  lose(kind: LossKind, detail: string): void {
    this.requests++;
    this.losses[kind]++;
    if (this.examples.length < MOST_EXAMPLES) {
      this.examples.push({ kind, atMs: Math.round(performance.now() - this.startedAt), detail });
    }
  }

  succeed(status: number, version: string | undefined, tookMs: number): void {
    this.requests++;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (version !== undefined) this.versions[version] = (this.versions[version] ?? 0) + 1;
    const bucket = Math.min(1_023, Math.max(0, Math.ceil(Math.log(tookMs * 100) / GROWTH)));
    this.histogram[bucket] = (this.histogram[bucket] ?? 0) + 1;
    this.maxMs = Math.max(this.maxMs, tookMs);
  }

  report(): LoadReport {
    const durationMs = performance.now() - this.startedAt;
    return {
      durationMs: Math.round(durationMs),
      requests: this.requests,
      lost: Object.values(this.losses).reduce((sum, count) => sum + count, 0),
      losses: { ...this.losses },
      examples: [...this.examples],
      statuses: { ...this.statuses },
      versions: { ...this.versions },
      versionChanges: this.versionChanges,
      requestsPerSecond: Math.round((this.requests * 1_000) / durationMs),
      connectionsOpened: this.connectionsOpened,
      latencyMs: {
        p50: this.percentile(0.5),
        p95: this.percentile(0.95),
        p99: this.percentile(0.99),
        max: rounded(this.maxMs),
      },
    };
  }

  private percentile(share: number): number {
    const total = this.histogram.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (const [bucket, count] of this.histogram.entries()) {
      seen += count;
      if (total > 0 && seen >= total * share) return rounded(Math.exp(bucket * GROWTH) / 100);
    }
    return 0;
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
