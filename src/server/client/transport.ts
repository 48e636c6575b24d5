import type { IncomingMessage, RequestOptions } from 'node:http';
import { connect } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { systemCodeOf, UserError, type ErrorKind } from '../../lib/errors.ts';

// An import would read all its exports, and with WebSocket the whole of undici: 25 ms of every command.
const { request: httpRequest } = process.getBuiltinModule('node:http');

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Sent as the body is made, instead of `body`. */
  readonly stream?: { readonly type: string; readonly content: Readable };
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
  const response = await send(socketPath, call);
  const text = await textOf(response).catch((error: unknown) => {
    throw brokenOff(error) ? daemonGone(socketPath, error) : error;
  });
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** One call whose answer is a stream of JSON lines. */
export async function* callLines<T>(socketPath: string, call: ApiRequest): AsyncGenerator<T> {
  const response = await send(socketPath, call);
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
      if (line !== '') yield JSON.parse(line) as T;
    }
    if (!response.complete && call.signal?.aborted !== true) throw daemonGone(socketPath);
  } catch (error) {
    throw brokenOff(error) && call.signal?.aborted !== true ? daemonGone(socketPath, error) : error;
  } finally {
    response.destroy();
  }
}

/** One call whose answer is bytes. Where it breaks off, reading it fails. */
export async function callBytes(socketPath: string, call: ApiRequest): Promise<Readable> {
  return await send(socketPath, call);
}

/** One call that turns the connection into a raw two-way stream (HTTP/1.1 Upgrade). */
export function callUpgrade(socketPath: string, call: ApiRequest): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      ...requestOptions(socketPath, call),
      headers: { ...headersOf(call), connection: 'Upgrade', upgrade: 'tcp' },
    });
    outgoing.once('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.once('response', (response) => {
      textOf(response).then((text) => reject(errorOf(response, text)), reject);
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

function send(socketPath: string, call: ApiRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(requestOptions(socketPath, call), (response) => {
      if ((response.statusCode ?? 500) < 400) resolve(response);
      else textOf(response).then((text) => reject(errorOf(response, text)), reject);
    });
    outgoing.once('error', (error) => reject(connectionError(socketPath, error)));
    if (call.stream !== undefined) {
      const { content } = call.stream;
      content.once('error', (error) => outgoing.destroy(error));
      content.pipe(outgoing);
    } else outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

function requestOptions(socketPath: string, call: ApiRequest): RequestOptions {
  return {
    socketPath,
    method: call.method,
    path: `${call.path}${queryOf(call.query)}`,
    headers: headersOf(call),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  };
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

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function errorOf(response: IncomingMessage, text: string): Error {
  const body = parseErrorBody(text);
  return body === undefined
    ? new Error(`the daemon answered ${response.statusCode}: ${text.slice(0, 500)}`)
    : new UserError(body);
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
