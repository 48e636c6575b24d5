import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

export interface PacedOptions {
  readonly url: string;
  readonly connections: number;
  /** For the file that says when it ends. */
  readonly folder: string;
}

export interface PacedReport {
  readonly requests: number;
  /** All losses together. */
  readonly lost: number;
  /** In words, with the number of each kind. */
  readonly losses: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface PacedLoad {
  /** Lets running requests end; who is not answered then is lost. */
  stop(): Promise<PacedReport>;
}

const SCRIPT = join(import.meta.dirname, 'paced.lua');
const LONGEST_S = 7_200;
/** Behind the last request: so long an answer may take. */
const PATIENCE_MS = 5_000;

/** What is carried when every connection asks as fast as it is answered; a tenth of the requests on new connections. */
export async function capacityOf(o: PacedOptions, seconds: number): Promise<PacedReport> {
  const child = start(o, { rate: 0, seconds });
  const counts = await countsOf(child);
  // When wrk ends, the last requests are on their way: nobody knows what becomes of them.
  return reportOf({ ...counts, sent: answeredOf(counts) });
}

/** Requests at a rate, from wrk in one process: it costs a small part of a processor. A tenth on new connections. */
export function startPacedLoad(o: PacedOptions & { readonly ratePerSecond: number }): PacedLoad {
  const child = start(o, { rate: o.ratePerSecond, seconds: LONGEST_S });
  const counts = countsOf(child);
  counts.catch(() => {});
  return {
    stop: async () => {
      writeFileSync(stopFile(o), '');
      await Promise.race([delay(PATIENCE_MS), counts]);
      child.kill('SIGINT');
      return reportOf(await counts);
    },
  };
}

function start(o: PacedOptions, { rate, seconds }: { readonly rate: number; readonly seconds: number }): ChildProcess {
  const words = ['-t1', `-c${o.connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', SCRIPT, o.url];
  return spawn('wrk', [...words, '--', String(rate), stopFile(o)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A session of its own: Linux shares the processor out by sessions.
    detached: true,
  });
}

function stopFile({ folder }: PacedOptions): string {
  return join(folder, 'load-is-over');
}

/** What `paced.lua` prints. Times in seconds and milliseconds, as they are called. */
interface Counts {
  readonly sent: number;
  readonly answered: number;
  readonly seconds: number;
  readonly connect: number;
  readonly read: number;
  readonly write: number;
  readonly status: number;
  readonly late: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function countsOf(child: ChildProcess): Promise<Counts> {
  const ended = once(child, 'exit');
  const said = await text(child.stdout!);
  await ended;
  const line = said.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk has told nothing:\n${said}`);
  return JSON.parse(line) as Counts;
}

/** With those that ended without an answer. */
function answeredOf({ answered, read, write }: Counts): number {
  return answered + read + write;
}

function reportOf(counts: Counts): PacedReport {
  const { sent, answered, seconds, connect, read, write, status, late, p50Ms, p99Ms } = counts;
  const unanswered = Math.max(0, sent - answeredOf(counts));
  const losses = {
    refused: connect,
    'reset or cut off': read + write,
    'status 400 and above': status,
    unanswered,
    'over 30 s': late,
  };
  return {
    requests: sent,
    lost: Object.values(losses).reduce((sum, each) => sum + each, 0),
    losses: Object.entries(losses)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', '),
    perSecond: answered / seconds,
    p50Ms,
    p99Ms,
  };
}
