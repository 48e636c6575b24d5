/** What a built-in probe does: see docs/ledger.md. */
export type ProbeKind = 'get' | 'post' | 'sse' | 'websocket';

/**
 * How a probe failed. `refused`: nobody took the connection; `reset`: it ended before an answer; `truncated`: it ended
 * within one; `timeout`: no answer in time; `proxy-error`: a 5xx that the proxy made; `app-error`: a 5xx of the
 * application, which is an answer, and not lost.
 */
export type ProbeFailure = 'refused' | 'reset' | 'truncated' | 'timeout' | 'proxy-error' | 'app-error';

/** One probe of one service, as far as it has come. Plain JSON. */
export interface ProbeReport {
  readonly kind: ProbeKind;
  readonly service: string;
  /** As one would ask for it: `http://localhost:8080/`. */
  readonly url: string;
  /** Requests; of an event stream: connections; of a WebSocket: pings. */
  readonly sent: number;
  /** Whole answers; of an event stream: streams that opened; of a WebSocket: pongs. */
  readonly answered: number;
  readonly failed: Readonly<Record<ProbeFailure, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** Events of the stream, messages of the WebSocket. */
  readonly messages: number;
  /** Long connections that ended: by the application in good order, or because their drain deadline had come. */
  readonly ended: { readonly byApplication: number; readonly atDrainDeadline: number };
  /** The longest time between two signs of life: answers, events, pongs. */
  readonly longestGapMs: number;
  /** The first failures. */
  readonly examples: readonly { readonly atMs: number; readonly kind: ProbeFailure; readonly detail: string }[];
}

const MOST_EXAMPLES = 10;
const NO_FAILURES = { refused: 0, reset: 0, truncated: 0, timeout: 0, 'proxy-error': 0, 'app-error': 0 } as const;

export function newReport(of: Pick<ProbeReport, 'kind' | 'service' | 'url'>): ProbeReport {
  return {
    ...of,
    sent: 0,
    answered: 0,
    failed: NO_FAILURES,
    statuses: {},
    messages: 0,
    ended: { byApplication: 0, atDrainDeadline: 0 },
    longestGapMs: 0,
    examples: [],
  };
}

/**
 * A 5xx that the application made is an answer. No answer in time is lost only where there are answers: some pages take
 * longer than a probe waits. All else that failed is lost.
 */
export function lostOf({ failed, answered }: Pick<ProbeReport, 'failed' | 'answered'>): number {
  const { 'app-error': _, timeout, ...lost } = failed;
  return Object.values(lost).reduce((sum, count) => sum + count, 0) + (answered > 0 ? timeout : 0);
}

/** Who writes a report while its probe runs. */
export class ProbeBook {
  #report: ProbeReport;
  #lastSignMs: number | undefined;
  readonly #nowMs: () => number;

  constructor(report: ProbeReport, nowMs: () => number) {
    this.#report = report;
    this.#nowMs = nowMs;
  }

  get report(): ProbeReport {
    return this.#report;
  }

  sent(): void {
    this.#add({ sent: this.#report.sent + 1 });
  }

  /** A whole answer; `byProxy`: the proxy made it itself. */
  answered(status: number, byProxy: boolean): void {
    const { statuses, answered } = this.#report;
    this.#add({ statuses: { ...statuses, [status]: (statuses[status] ?? 0) + 1 } });
    if (status >= 500) this.failed(byProxy ? 'proxy-error' : 'app-error', `status ${status}`);
    else this.#add({ answered: answered + 1 });
    this.#sign();
  }

  /** A long connection has opened. */
  opened(): void {
    this.#sign();
  }

  pong(): void {
    this.#add({ answered: this.#report.answered + 1 });
    this.#sign();
  }

  message(count = 1): void {
    this.#add({ messages: this.#report.messages + count });
    this.#sign();
  }

  failed(kind: ProbeFailure, detail: string): void {
    const { failed, examples } = this.#report;
    const example = { atMs: this.#nowMs(), kind, detail };
    this.#add({
      failed: { ...failed, [kind]: failed[kind] + 1 },
      examples: examples.length < MOST_EXAMPLES ? [...examples, example] : examples,
    });
  }

  ended(how: keyof ProbeReport['ended']): void {
    const { ended } = this.#report;
    this.#add({ ended: { ...ended, [how]: ended[how] + 1 } });
  }

  #sign(): void {
    const now = performance.now();
    const gapMs = this.#lastSignMs === undefined ? 0 : Math.round(now - this.#lastSignMs);
    this.#lastSignMs = now;
    if (gapMs > this.#report.longestGapMs) this.#add({ longestGapMs: gapMs });
  }

  #add(changes: Partial<ProbeReport>): void {
    this.#report = { ...this.#report, ...changes };
  }
}
