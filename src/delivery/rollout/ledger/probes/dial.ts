import { Agent, type ClientRequest, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as requestByTls } from 'node:https';
import type { ProbeBook, ProbeFailure } from './report.ts';
import type { ProbeTarget } from './targets.ts';

/** What a probe does until its signal fires; it counts, and never throws. */
export type RunProbe = (o: ProbeRun) => Promise<void>;

export interface ProbeRun {
  /** By which the proxy knows probes. */
  readonly token: string;
  readonly target: ProbeTarget;
  readonly book: ProbeBook;
  /** No more is to be sent; what is under way may end, or is given up. */
  readonly signal: AbortSignal;
  /** A drain whose declared deadline has come cuts long connections at this moment. */
  isDrainDeadline(): boolean;
}

/** One connection at a time, kept open. */
export function agentFor({ isTls }: ProbeTarget): Agent {
  const options = { keepAlive: true, maxSockets: 1, timeout: 60_000 };
  return isTls ? new TlsAgent(options) : new Agent(options);
}

/** Probes say who they are. */
export function headersOf({ target, token }: Pick<ProbeRun, 'target' | 'token'>): Record<string, string> {
  const { host, port, isTls } = target;
  const isUsual = port === (isTls ? 443 : 80);
  return {
    'user-agent': 'bascule-probe',
    'x-bascule-probe': token,
    ...(host === undefined ? {} : { host: isUsual ? host : `${host}:${port}` }),
  };
}

export function open(run: ProbeRun, options: RequestOptions): ClientRequest {
  const { address, port, path, isTls, host } = run.target;
  const full = { ...options, host: address, port, path, headers: { ...headersOf(run), ...options.headers } };
  if (!isTls) return request(full);
  // Whether the certificate is one that others trust is no question of lost requests.
  return requestByTls({ ...full, rejectUnauthorized: false, ...(host === undefined ? {} : { servername: host }) });
}

/** The proxy marks the answers that it made itself. */
export function isByProxy({ headers }: IncomingMessage): boolean {
  return headers['x-bascule-error'] !== undefined;
}

export function failureOf(error: NodeJS.ErrnoException, hasBegun: boolean): ProbeFailure {
  if (error.code === 'ECONNREFUSED') return 'refused';
  if (error.code === 'ETIMEDOUT' || error.name === 'TimeoutError') return 'timeout';
  return hasBegun ? 'truncated' : 'reset';
}

const NO_ANSWER_MS = 30_000;

/** One request to its end: counted, whatever it was. `send` writes the body and ends the request. */
export function exchange(
  run: ProbeRun,
  o: { readonly options: RequestOptions; send(sent: ClientRequest): void },
): Promise<void> {
  const { book } = run;
  return new Promise((resolve) => {
    let response: IncomingMessage | undefined;
    let isOver = false;
    const end = (count: () => void): void => {
      if (!isOver) count();
      isOver = true;
      clearTimeout(timer);
      resolve();
    };
    book.sent();
    const sent = open(run, o.options);
    const fail = (error: NodeJS.ErrnoException): void =>
      end(() => book.failed(failureOf(error, response !== undefined), error.code ?? error.message));
    const timer = setTimeout(() => {
      end(() => book.failed('timeout', `no whole answer within ${NO_ANSWER_MS / 1_000} s`));
      sent.destroy();
    }, NO_ANSWER_MS);
    timer.unref();
    sent.on('error', fail);
    sent.on('response', (answer) => {
      response = answer;
      answer.on('error', fail);
      answer.on('end', () => end(() => book.answered(answer.statusCode ?? 0, isByProxy(answer))));
      answer.on('close', () => end(() => book.failed('truncated', 'the answer ended too early')));
      answer.resume();
    });
    o.send(sent);
  });
}
