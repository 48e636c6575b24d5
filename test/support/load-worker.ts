import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ResponseReader, type WholeResponse } from './http-response.ts';
import type { LoadOptions } from './load.ts';
import { type LossKind, Tally } from './load-report.ts';

/** The process that makes the load: it talks to its parent by messages and ends with it. */

interface Client {
  socket: Socket | undefined;
  cookies: Map<string, string>;
  version: string | undefined;
}

type Outcome =
  | { readonly kind: 'whole'; readonly response: WholeResponse }
  | { readonly kind: LossKind; readonly detail: string };

let isStopping = false;
const tally = new Tally();

process.on('message', (message: { type: 'start'; options: LoadOptions } | { type: 'snapshot' | 'stop' }) => {
  if (message.type === 'start') void work(message.options);
  if (message.type === 'snapshot') process.send?.({ type: 'snapshot', report: tally.report() });
  if (message.type === 'stop') isStopping = true;
});
process.on('disconnect', () => process.exit(0));

async function work(options: LoadOptions): Promise<void> {
  const pace = createPace(options);
  const clients = Array.from({ length: options.connections }, () => runClient(options, pace));
  process.send?.({ type: 'started' });
  await Promise.all(clients);
  process.send?.({ type: 'done', report: tally.report() });
}

/** Resolves when the next request may start; false when there shall be none. */
function createPace({ ratePerSecond, maxRequests, maxDurationMs }: LoadOptions): () => Promise<boolean> {
  const startedAt = performance.now();
  let begun = 0;
  return async () => {
    const index = begun++;
    if (index >= (maxRequests ?? Number.POSITIVE_INFINITY)) return false;
    if (ratePerSecond !== undefined) {
      const waitMs = startedAt + (index * 1_000) / ratePerSecond - performance.now();
      if (waitMs > 1) await delay(waitMs);
    }
    return !isStopping && performance.now() - startedAt < (maxDurationMs ?? 600_000);
  };
}

async function runClient(options: LoadOptions, pace: () => Promise<boolean>): Promise<void> {
  const client: Client = { socket: undefined, cookies: new Map(), version: undefined };
  while (await pace()) {
    if (Math.random() < options.newConnectionShare) hangUp(client);
    const startedAt = performance.now();
    const outcome = await request(options, client);
    count(options, client, outcome, performance.now() - startedAt);
    if (outcome.kind !== 'whole') {
      hangUp(client);
      await delay(5); // a refused client would otherwise spin
    } else if (!outcome.response.keepsAlive) hangUp(client);
  }
  hangUp(client);
}

function hangUp(client: Client): void {
  client.socket?.destroy();
  client.socket = undefined;
}

function count(options: LoadOptions, client: Client, outcome: Outcome, tookMs: number): void {
  if (outcome.kind !== 'whole') return tally.lose(outcome.kind, outcome.detail);
  const { status, headers, bodyStart } = outcome.response;
  const proxyWord = headers.get('x-bascule-error');
  if (status >= 500 && proxyWord !== undefined) return tally.lose('proxy-error', `${status} ${proxyWord}`);
  if (status >= 500) return tally.lose('app-error', `${status} ${bodyStart.slice(0, 80)}`);
  const version = versionOf(options, outcome.response);
  tally.succeed(status, version, tookMs);
  if (client.version !== undefined && version !== client.version) tally.versionChanges++;
  client.version = version;
  if (options.keepsCookies === true) keepCookies(client, headers.get('set-cookie'));
}

function versionOf({ version }: LoadOptions, response: WholeResponse): string | undefined {
  if (version === undefined) return undefined;
  if (version.from === 'header') return response.headers.get(version.name.toLowerCase());
  return new RegExp(version.pattern).exec(response.bodyStart)?.[1];
}

function keepCookies(client: Client, setCookie: string | undefined): void {
  for (const line of setCookie?.split('\n') ?? []) {
    const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=');
    client.cookies.set(name, value);
  }
}

function request(options: LoadOptions, client: Client): Promise<Outcome> {
  return new Promise((resolve) => {
    const reader = new ResponseReader();
    const isNew = client.socket === undefined || client.socket.destroyed || client.socket.readableEnded;
    const socket = isNew ? dial(options) : (client.socket as Socket);
    client.socket = socket;
    const timer = setTimeout(() => settle({ kind: 'timeout', detail: reader.progress }), options.timeoutMs ?? 10_000);
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
      socket.on('error', () => {}); // of an idle connection: the next request dials anew
      resolve(outcome);
    };
    const lost = (why: string): void => {
      const whole = reader.end();
      if (whole !== undefined) settle({ kind: 'whole', response: whole });
      else if (socket.connecting) settle({ kind: 'refused', detail: why });
      else if (reader.hasBegun) settle({ kind: 'truncated', detail: `${why}: ${reader.progress}` });
      else settle({ kind: 'reset', detail: `${why}, ${isNew ? 'new' : 'reused'} connection` });
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') settle({ kind: 'refused', detail: error.message });
      else lost(error.code ?? error.message);
    });
    socket.on('close', () => lost('closed'));
    socket.on('data', (bytes: Buffer) => {
      try {
        const response = reader.push(bytes);
        if (response !== undefined) settle({ kind: 'whole', response });
      } catch (error) {
        settle({ kind: 'malformed', detail: String(error) });
      }
    });
    socket.write(requestText(options, client));
  });
}

function dial({ url }: LoadOptions): Socket {
  tally.connectionsOpened++;
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), noDelay: true });
  return socket;
}

function requestText(options: LoadOptions, client: Client): string {
  const { host, pathname, search } = new URL(options.url);
  const body = options.method === 'POST' ? 'x'.repeat(options.bodyBytes ?? 0) : '';
  const cookies = [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const head = [
    `${options.method ?? 'GET'} ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(cookies === '' ? [] : [`Cookie: ${cookies}`]),
    ...(options.method === 'POST' ? [`Content-Length: ${body.length}`] : []),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
