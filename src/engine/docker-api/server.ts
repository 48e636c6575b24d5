import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { responseExchange, upgradeExchange, type Exchange } from './exchange.ts';
import { errorBodyOf, statusOf } from './http-errors.ts';
import { splitVersion, type Match, type Router } from './router.ts';
import { API_VERSION, checkApiVersion } from './versions.ts';

/** The HTTP server of the door. It knows versions, errors and sockets, not what the routes do. */
export interface ApiServer {
  /** Listens on a unix socket (mode 0660). A socket file that is there is replaced: the caller holds the root's lock. */
  listen(socketPath: string): Promise<void>;
  close(): Promise<void>;
}

export function createApiServer(o: { router: Router; log: Log; version: string }): ApiServer {
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 });
  const upgraded = new Set<Duplex>();
  const headers = commonHeaders(o.version);
  server.on('request', (request, response) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    const { init, match, version } = locate(o.router, request);
    void answer({
      exchange: responseExchange(init, response),
      match,
      version,
      log: o.log,
      end: () => response.destroy(),
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    const { init, match, version } = locate(o.router, request);
    const exchange = upgradeExchange(init, { socket, head });
    for (const [name, value] of headers) exchange.header(name, value);
    void answer({ exchange, match, version, log: o.log, end: () => socket.destroy() });
  });
  return {
    listen: (socketPath) => listen(server, socketPath),
    close: () => close(server, upgraded),
  };
}

interface Answer {
  readonly exchange: Exchange;
  readonly match: Match | undefined;
  readonly version: string | undefined;
  readonly log: Log;
  /** Cuts the connection: an answer that failed in its middle must not look complete. */
  readonly end: () => void;
}

async function answer({ exchange, match, version, log, end }: Answer): Promise<void> {
  try {
    checkApiVersion(version);
    if (match === undefined) throw pageNotFound();
    await match.handle(exchange);
  } catch (error) {
    if (exchange.signal.aborted) return;
    if (!(error instanceof UserError)) {
      log.error({ error, method: exchange.method, path: exchange.path }, 'a request failed unexpectedly');
    }
    if (exchange.hasStarted) end();
    else exchange.reply(statusOf(error), errorBodyOf(error));
  }
}

function pageNotFound(): UserError {
  return new UserError({
    code: 'page-not-found',
    kind: 'not-found',
    message: 'page not found',
    fix: `Bascule speaks the Docker Engine API ${API_VERSION}; GET /info tells what it is.`,
  });
}

function locate(router: Router, request: IncomingMessage) {
  const [rawPath = '/', search = ''] = splitOnce(request.url ?? '/', '?');
  const { version, path } = splitVersion(rawPath);
  const match = router(request.method ?? 'GET', path);
  const query = new URLSearchParams(search);
  const init = { request, apiVersion: version ?? API_VERSION, path, query, params: match?.params ?? {} };
  return { init, match, version };
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** What Docker sends with every answer; `Server` in its form, since clients parse it. */
function commonHeaders(version: string): readonly (readonly [string, string])[] {
  return [
    ['Api-Version', API_VERSION],
    ['Docker-Experimental', 'false'],
    ['Ostype', 'linux'],
    ['Server', `Bascule/${version} (linux)`],
  ];
}

async function listen(server: Server, socketPath: string): Promise<void> {
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await chmod(socketPath, 0o660);
}

async function close(server: Server, upgraded: ReadonlySet<Duplex>): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  for (const socket of upgraded) socket.destroy();
  await closed;
}
