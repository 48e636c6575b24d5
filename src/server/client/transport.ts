import { connect } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { systemCodeOf, UserError, type ErrorKind } from '../../lib/errors.ts';
import { type Answer, exchange } from './exchange.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Sent as it is, or as it is made; instead of `body`. */
  readonly stream?: { readonly type: string; readonly content: Readable | string };
  readonly signal?: AbortSignal;
}

/** The error body of Bascule's API. */
export interface ApiErrorBody {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly fix: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** One call whose answer is one JSON value. */
export async function callJson<T>(socketPath: string, call: ApiRequest): Promise<T> {
  const answer = await send(socketPath, call);
  const text = await textOf(answer.body).catch((error: unknown) => {
    throw brokenOff(error) ? daemonGone(socketPath, error) : error;
  });
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** One call whose answer is a stream of JSON lines. */
export async function* callLines<T>(socketPath: string, call: ApiRequest): AsyncGenerator<T> {
  const { body } = await send(socketPath, call);
  try {
    for await (const line of linesOf(body)) if (line !== '') yield JSON.parse(line) as T;
  } catch (error) {
    throw brokenOff(error) && call.signal?.aborted !== true ? daemonGone(socketPath, error) : error;
  }
}

/** Without their ends; the last one may lack it. */
async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let open: Buffer[] = [];
  for await (const piece of pieces) {
    const end = piece.lastIndexOf('\n');
    if (end >= 0)
      yield* Buffer.concat([...open, piece.subarray(0, end)])
        .toString('utf8')
        .split('\n');
    open = end < 0 ? [...open, piece] : [piece.subarray(end + 1)];
  }
  yield Buffer.concat(open).toString('utf8');
}

/** One call whose answer is bytes. Where it breaks off, reading it fails. */
export async function callBytes(socketPath: string, call: ApiRequest): Promise<Readable> {
  const { body, leave } = await send(socketPath, call);
  return Readable.from(body, { objectMode: false }).once('close', leave);
}

/** One call that turns the connection into a raw two-way stream (HTTP/1.1 Upgrade). */
export function callUpgrade(socketPath: string, call: ApiRequest): Promise<Duplex> {
  // An import would read all its exports, and with WebSocket the whole of undici: 25 ms of every command.
  const { request } = process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method: call.method,
      path: pathOf(call),
      headers: { ...headersOf(call), connection: 'Upgrade', upgrade: 'tcp' },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    outgoing.once('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.once('response', (response) => {
      textOf(response).then((text) => reject(errorOf(response.statusCode ?? 500, text)), reject);
    });
    outgoing.once('error', (error) => reject(connectionError(socketPath, error)));
    outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

/** Whether a daemon takes connections on this socket: it does from the moment on from which it answers. */
export function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Whether a daemon answers on this socket. */
export async function isAnswering(socketPath: string): Promise<boolean> {
  try {
    await callJson(socketPath, { method: 'GET', path: '/v1/version' });
    return true;
  } catch {
    return false;
  }
}

async function send(socketPath: string, call: ApiRequest): Promise<Answer> {
  const answer = await exchange(socketPath, {
    method: call.method,
    path: pathOf(call),
    headers: headersOf(call),
    ...bodyOf(call),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  }).catch((error: unknown) => {
    throw connectionError(socketPath, error as Error);
  });
  if (answer.status >= 400) throw errorOf(answer.status, await textOf(answer.body));
  return answer;
}

function bodyOf({ body, stream }: ApiRequest): { readonly body?: string | Readable } {
  if (stream !== undefined) return { body: stream.content };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

function pathOf(call: ApiRequest): string {
  return `${call.path}${queryOf(call.query)}`;
}

function headersOf(call: ApiRequest): Record<string, string> {
  if (call.stream !== undefined) return { host: 'bascule', 'content-type': call.stream.type };
  return { host: 'bascule', ...(call.body === undefined ? {} : { 'content-type': 'application/json' }) };
}

function queryOf(query: ApiRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const item of value) parameters.append(name, item);
    else parameters.append(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

async function textOf(pieces: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of pieces) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function errorOf(status: number, text: string): Error {
  const body = parseErrorBody(text);
  return body === undefined ? new Error(`the daemon answered ${status}: ${text.slice(0, 500)}`) : new UserError(body);
}

/** Reads an error body, or undefined where the text is none. */
function parseErrorBody(text: string): ApiErrorBody | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: ApiErrorBody };
    return error;
  } catch {
    return undefined;
  }
}

function connectionError(socketPath: string, cause: Error): Error {
  switch (systemCodeOf(cause)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new UserError({
        code: 'daemon-not-running',
        kind: 'unavailable',
        message: `no daemon answers on ${socketPath}`,
        fix: 'Start it with `bascule daemon start`; its log is told by `bascule daemon status`.',
        cause,
      });
    case 'EACCES':
      return new UserError({
        code: 'socket-denied',
        kind: 'denied',
        message: `you may not open ${socketPath}`,
        fix: 'Run the command as root, or add yourself to the group that owns the socket.',
        cause,
      });
    case 'ECONNRESET':
      return daemonGone(socketPath, cause);
    default:
      return cause;
  }
}

/** An answer that ended before its end: the daemon was killed. */
function brokenOff(error: unknown): boolean {
  return systemCodeOf(error) === 'ECONNRESET';
}

function daemonGone(socketPath: string, cause?: unknown): UserError {
  return new UserError({
    code: 'daemon-gone',
    kind: 'unavailable',
    message: `the daemon on ${socketPath} went away in the middle of this command`,
    fix: 'What runs keeps running. Start the daemon again with `bascule daemon start`: it resumes what was under way; `bascule ps` shows the outcome.',
    cause,
  });
}
