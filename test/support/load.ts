import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadReport } from './load-report.ts';

export type { LoadReport } from './load-report.ts';

export interface LoadOptions {
  /** On this machine only: `http://127.0.0.1:8080/`, `http://localhost:8080/`, `http://[::1]:8080/`. */
  readonly url: string;
  /** Clients that send one request after the other. */
  readonly connections: number;
  /** All clients together; as fast as possible when absent. */
  readonly ratePerSecond?: number;
  /** 0 to 1: how many requests begin with a connection of their own instead of a kept one. */
  readonly newConnectionShare: number;
  readonly method?: 'GET' | 'POST';
  readonly bodyBytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where a response says which version of the application made it; a pattern's first group of the body's start. */
  readonly version?:
    | { readonly from: 'header'; readonly name: string }
    | { readonly from: 'body'; readonly pattern: string };
  /** Clients send back the cookies that they are given. */
  readonly keepsCookies?: boolean;
  readonly timeoutMs?: number;
  readonly maxRequests?: number;
  /** Default 10 minutes. */
  readonly maxDurationMs?: number;
  readonly signal?: AbortSignal;
}

export interface Load extends AsyncDisposable {
  /** Lets running requests end, and tells what happened. May be called twice. */
  stop(): Promise<LoadReport>;
  snapshot(): Promise<LoadReport>;
  /** When the load ended by itself, at `maxRequests` or `maxDurationMs`. */
  readonly done: Promise<LoadReport>;
}

type Message = { readonly type: 'started' } | { readonly type: 'snapshot' | 'done'; readonly report: LoadReport };

/** Starts requests from a process of its own, so that neither disturbs the other. Resolves when it is running. */
export async function startLoad({ signal, ...options }: LoadOptions): Promise<Load> {
  assertLoopback(options.url);
  const child = fork(fileURLToPath(new URL('./load-worker.ts', import.meta.url)), { stdio: 'inherit' });
  const done = nextMessage(child, 'done').then((report) => {
    child.disconnect();
    return report;
  });
  done.catch(() => {});
  const started = nextMessage(child, 'started');
  child.send({ type: 'start', options });
  await started;
  const stop = (): Promise<LoadReport> => {
    if (child.connected) child.send({ type: 'stop' });
    return done;
  };
  signal?.addEventListener('abort', () => void stop().catch(() => {}), { once: true });
  return {
    stop,
    done,
    async [Symbol.asyncDispose]() {
      await stop();
    },
    snapshot() {
      const answer = nextMessage(child, 'snapshot');
      child.send({ type: 'snapshot' });
      return answer;
    },
  };
}

function nextMessage(child: ChildProcess, type: Message['type']): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the load process ended with code ${code}`));
    const onMessage = (message: unknown): void => {
      const { type: got, report } = message as { type: string; report: LoadReport };
      if (got !== type) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(report);
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

function assertLoopback(url: string): void {
  const { hostname, protocol } = new URL(url);
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
  if (protocol !== 'http:' || !isLoopback) throw new RangeError(`load goes to this machine only, not to ${url}`);
}
