import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { UserError } from '../../lib/errors.ts';
import { invalidParameter } from './http-errors.ts';
import { acceptWebSocket } from './websocket.ts';

/** One request and the ways to answer it. Exactly one of `reply`, `stream`, `handOver`, `hijack` and `upgrade` is called. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  /** That the client speaks; the newest where it names none. */
  readonly apiVersion: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** Aborted when the client goes away before the answer is complete. */
  readonly signal: AbortSignal;
  readonly hasStarted: boolean;
  /** The body as a JSON object; `{}` where there is none. @throws UserError `invalid-parameter` */
  json(): Promise<Record<string, unknown>>;
  /** A whole answer: nothing, or JSON. */
  reply(status: number, value?: unknown): void;
  /** An answer that grows; its head is sent at once. */
  stream(contentType: string, headers?: Readonly<Record<string, string>>): Writable;
  /**
   * An answer whose bytes another process may write, as fast as the machine can: it ends with the connection, so it is
   * neither cut into chunks nor does its length stand in its head.
   */
  handOver(contentType: string, headers?: Readonly<Record<string, string>>): Promise<Handed>;
  /** Takes the connection over as a raw stream in both directions (upgraded, where the client asked for that). */
  hijack(contentType: string): RawConnection;
  /** Takes it over for a WebSocket. @throws Error where the client did not ask for one */
  upgrade(): Promise<WebSocket>;
  header(name: string, value: string): void;
}

export interface Handed {
  /** The connection itself; its head has been written. */
  readonly sink: Writable;
  end(): void;
}

export interface RawConnection {
  /** What the client sends; ends when the client closes its half. */
  readonly input: Readable;
  readonly output: Writable;
}

/** Docker's larger JSON bodies are container configurations; 4 MiB is far beyond them. */
const LARGEST_JSON_BYTES = 4 * 1024 * 1024;

interface ExchangeInit {
  readonly request: IncomingMessage;
  readonly apiVersion: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
}

/** An ordinary HTTP exchange. */
export function responseExchange(init: ExchangeInit, response: ServerResponse): Exchange {
  const { request } = init;
  const controller = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return {
    ...commonOf(init, controller),
    get hasStarted() {
      return response.headersSent;
    },
    header: (name, value) => void response.setHeader(name, value),
    reply: (status, value) => replyTo(response, status, value),
    stream: (contentType, headers = {}) => {
      response.writeHead(200, { 'content-type': contentType, ...headers });
      response.flushHeaders();
      return response;
    },
    handOver: async (contentType, headers = {}) => {
      beginUnbounded(response, { 'content-type': contentType, ...headers });
      const sink = response.socket;
      if (sink === null) throw new Error('the client is gone');
      await flushed(sink);
      return { sink, end: () => void response.end() };
    },
    hijack: (contentType) => {
      beginUnbounded(response, { 'content-type': contentType });
      return { input: request, output: response };
    },
    upgrade: () => Promise.reject(new Error('the request asks for no other protocol')),
  };
}

/** The answer ends with the connection. */
function beginUnbounded(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  response.writeHead(200, { ...headers, connection: 'close' });
  response.flushHeaders();
}

/** Until what was written is with the kernel; also where that fails: whoever writes next sees it. */
function flushed(sink: Writable): Promise<void> {
  return new Promise((resolve) => sink.write('', () => resolve()));
}

/** A request with `Connection: Upgrade`: the socket is ours once it is hijacked. */
export function upgradeExchange(init: ExchangeInit, o: { socket: Duplex; head: Buffer }): Exchange {
  const controller = new AbortController();
  const { socket } = o;
  const extra: string[] = [];
  let started = false;
  socket.on('error', () => controller.abort());
  socket.on('close', () => controller.abort());
  const start = (status: string, headers: readonly string[]): void => {
    started = true;
    socket.write([`HTTP/1.1 ${status}`, ...extra, ...headers, '', ''].join('\r\n'));
  };
  return {
    ...commonOf(init, controller),
    get hasStarted() {
      return started;
    },
    header: (name, value) => void extra.push(`${name}: ${value}`),
    reply: (status, value) => {
      const body = value === undefined ? '' : `${JSON.stringify(value)}\n`;
      const length = Buffer.byteLength(body);
      start(`${status} ${status < 400 ? 'OK' : 'Error'}`, [
        'Content-Type: application/json',
        `Content-Length: ${length}`,
        'Connection: close',
      ]);
      socket.end(body);
    },
    stream: (contentType) => {
      start('200 OK', [`Content-Type: ${contentType}`, 'Connection: close']);
      return socket;
    },
    handOver: async (contentType, headers = {}) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      start('200 OK', [`Content-Type: ${contentType}`, ...lines, 'Connection: close']);
      await flushed(socket);
      return { sink: socket, end: () => void socket.end(() => socket.destroy()) };
    },
    hijack: (contentType) => {
      start('101 UPGRADED', [`Content-Type: ${contentType}`, 'Connection: Upgrade', 'Upgrade: tcp']);
      if (o.head.length > 0) socket.unshift(o.head);
      return { input: socket, output: socket };
    },
    upgrade: async () => {
      const client = await acceptWebSocket({ request: init.request, ...o });
      started = true;
      return client;
    },
  };
}

function commonOf(
  init: ExchangeInit,
  controller: AbortController,
): Pick<Exchange, 'method' | 'apiVersion' | 'path' | 'query' | 'params' | 'headers' | 'body' | 'signal' | 'json'> {
  const { request, apiVersion, path, query, params } = init;
  return {
    method: request.method ?? 'GET',
    path,
    apiVersion,
    query,
    params,
    headers: request.headers,
    body: request,
    signal: controller.signal,
    json: () => readJson(request),
  };
}

function replyTo(response: ServerResponse, status: number, value: unknown): void {
  if (value === undefined) {
    response.writeHead(status).end();
    return;
  }
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function readJson(request: Readable): Promise<Record<string, unknown>> {
  const text = (await readAll(request)).toString('utf8').trim();
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidParameter(`invalid JSON: invalid character '${text[0]}' looking for beginning of value`);
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw invalidParameter('the request body is not a JSON object');
  return value as Record<string, unknown>;
}

async function readAll(request: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > LARGEST_JSON_BYTES) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): UserError {
  return invalidParameter(`the request body is larger than ${LARGEST_JSON_BYTES} bytes`);
}
