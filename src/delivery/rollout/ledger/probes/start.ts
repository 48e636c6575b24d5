import { setMaxListeners } from 'node:events';
import { probeByEventStream } from './event-stream.ts';
import { probeByGet } from './get.ts';
import type { RunProbe } from './dial.ts';
import { probeByPost } from './post.ts';
import { newReport, ProbeBook, type ProbeKind, type ProbeReport } from './report.ts';
import type { ProbeTarget } from './targets.ts';
import { probeByWebSocket } from './web-socket.ts';

const PROBES: Readonly<Record<ProbeKind, RunProbe>> = {
  get: probeByGet,
  post: probeByPost,
  sse: probeByEventStream,
  websocket: probeByWebSocket,
};

/** The probes of one rollout, while they run. */
export interface RunningProbes {
  /** As they are now. */
  reports(): readonly ProbeReport[];
  /** Nothing more is sent; resolves when what was under way has ended. */
  stop(): Promise<void>;
}

export function startProbes(o: {
  readonly targets: readonly ProbeTarget[];
  /** What they had counted before the daemon ended. */
  readonly before: readonly ProbeReport[];
  /** By which the proxy knows probes: they are no evidence. */
  readonly token: string;
  nowMs(): number;
  isDrainDeadline(): boolean;
}): RunningProbes {
  const stopping = new AbortController();
  const { signal } = stopping;
  setMaxListeners(0, signal);
  const fresh = o.targets.filter((target) => !o.before.some((report) => isOf(report, target))).map(newReportOf);
  const books = [...o.before, ...fresh].map((report) => new ProbeBook(report, o.nowMs));
  const ended = o.targets.map(async (target) => {
    const book = books.find(({ report }) => isOf(report, target))!;
    const run = { target, token: o.token, book, signal, isDrainDeadline: o.isDrainDeadline };
    await PROBES[target.kind](run).catch((error: unknown) => book.failed('reset', String(error)));
  });
  return {
    reports: () => books.map(({ report }) => report),
    stop: async () => {
      stopping.abort();
      await Promise.all(ended);
    },
  };
}

function newReportOf({ kind, service, url }: ProbeTarget): ProbeReport {
  return newReport({ kind, service, url });
}

function isOf(report: ProbeReport, target: ProbeTarget): boolean {
  return report.kind === target.kind && report.service === target.service && report.url === target.url;
}
