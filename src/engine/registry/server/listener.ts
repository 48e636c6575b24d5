import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../../lib/log.ts';
import { messageOf, systemCodeOf } from '../../../lib/errors.ts';
import type { AccessControl } from './auth/access.ts';
import type { Principal } from './auth/rights.ts';
import { refusal, RegistryError } from './errors.ts';
import { answerJson, type Exchange, type Parts } from './exchange.ts';
import { callOf } from './handlers/index.ts';
import { routeOf, type Route } from './routes.ts';

export interface ListenerOptions {
  readonly parts: Parts;
  readonly access: AccessControl;
  readonly readOnly: boolean;
  readonly log: Log;
}

/** One request from its first line to its last byte: route, right, handler, log line, figures. */
export function createListener(o: ListenerOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => void serve(o, request, response);
}

async function serve(o: ListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const stop = new AbortController();
  const told: Told = { route: undefined, principal: undefined, from: request.socket.remoteAddress };
  o.parts.metrics.begin();
  response.on('close', () => {
    if (!response.writableFinished) stop.abort();
    record(o, { request, response, told, ms: performance.now() - started });
  });
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  response.setHeader('x-content-type-options', 'nosniff');
  try {
    await dispatch(o, { request, response, told, signal: stop.signal });
  } catch (error) {
    fail(o, { request, response, error });
  }
}

interface Told {
  route: Route | undefined;
  principal: Principal | undefined;
  readonly from: string | undefined;
}

interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly told: Told;
  readonly signal: AbortSignal;
}

async function dispatch(o: ListenerOptions, { request, response, told, signal }: Incoming): Promise<void> {
  const { path, query } = splitUrl(request.url ?? '/');
  const route = routeOf(path);
  told.route = route;
  if (route === undefined) throw refusal('UNSUPPORTED', { status: 404, message: 'there is no such end point' });
  const exchange = (principal: Principal): Exchange => ({ request, response, query, principal, signal });
  if (route.kind === 'token') return await issueToken(o, exchange(NOBODY));
  const principal = await o.access.identify(request);
  told.principal = principal;
  refuseBrowsers(request, principal);
  const call = callOf(route, { method: request.method ?? 'GET', readOnly: o.readOnly });
  const isAllowed = call.wanted.every(({ action, repository }) => principal.may(action, repository));
  const isRefused = route.kind === 'base' || route.kind === 'catalog' ? o.access.needsLogin(principal) : !isAllowed;
  if (isRefused) throw o.access.refuse(request, principal, call.wanted);
  await call.run(o.parts, exchange(principal));
}

/** A page that somebody looks at on this machine must not push to a registry that asks nobody who they are. */
function refuseBrowsers({ method = 'GET', headers }: IncomingMessage, { user }: Principal): void {
  if (headers.origin === undefined || user !== undefined || method === 'GET' || method === 'HEAD') return;
  throw refusal('DENIED', { message: 'pages of the web may not change anything here without a password' });
}

const NOBODY: Principal = { user: undefined, may: () => false };

async function issueToken({ access }: ListenerOptions, exchange: Exchange): Promise<void> {
  if (access.issue === undefined)
    throw refusal('UNSUPPORTED', { status: 404, message: 'this registry gives no tokens' });
  if (exchange.request.method !== 'GET') throw refusal('UNSUPPORTED', { headers: { allow: 'GET' } });
  const body = await access.issue(exchange.request, exchange.query);
  answerJson(exchange, body, { headers: { 'cache-control': 'no-store' } });
}

/** @throws RegistryError `NAME_INVALID` for what cannot be decoded */
function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) };
  } catch {
    throw refusal('NAME_INVALID', { detail: { path } });
  }
}

function fail(
  { log }: ListenerOptions,
  { request, response, error }: { request: IncomingMessage; response: ServerResponse; error: unknown },
): void {
  const isGone = response.destroyed || (request.destroyed && !request.complete && !(error instanceof RegistryError));
  if (isGone) return void response.destroy();
  if (!(error instanceof RegistryError)) log.error({ err: error, url: pathOf(request) }, 'registry: a request failed');
  if (response.headersSent) return void response.destroy(); // the client sees that bytes are missing
  const known = error instanceof RegistryError ? error : unexpected(error);
  const body = Buffer.from(JSON.stringify({ errors: known.entries }));
  response.writeHead(known.status, {
    ...known.headers,
    'content-type': 'application/json',
    'content-length': body.length,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The specification has codes for refusals only; 507 and 500 are the registry's own trouble. */
function unexpected(error: unknown): RegistryError {
  const isFull = systemCodeOf(error) === 'ENOSPC';
  return refusal('BLOB_UPLOAD_INVALID', {
    status: isFull ? 507 : 500,
    message: isFull ? 'no space is left on the registry' : 'the registry failed',
  });
}

function record(
  { log, parts }: ListenerOptions,
  o: { request: IncomingMessage; response: ServerResponse; told: Told; ms: number },
): void {
  const { request, response, told } = o;
  const status = response.writableFinished ? response.statusCode : 0;
  const method = methodOf(request);
  const endPoint = told.route?.kind ?? 'none';
  parts.metrics.end({ method, endPoint, status, seconds: o.ms / 1_000 });
  const fields = {
    method,
    path: pathOf(request),
    status,
    ms: Math.round(o.ms),
    from: told.from,
    ...(told.principal?.user === undefined ? {} : { user: told.principal.user }),
  };
  if (status >= 500 || status === 0) log.warn(fields, status === 0 ? 'registry: broken off' : 'registry: failed');
  else if (method === 'GET' || method === 'HEAD') log.debug(fields, 'registry');
  else log.info(fields, 'registry');
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

function methodOf({ method = '' }: IncomingMessage): string {
  return METHODS.has(method) ? method : 'other';
}

/** Without the query: nothing that identifies an upload's owner, and no token, is logged. */
function pathOf({ url = '' }: IncomingMessage): string {
  return (url.split('?')[0] ?? '').slice(0, 400);
}

/** Metrics, for this machine only. */
export function createMetricsServer(parts: Parts): Server {
  return createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end();
    try {
      const text = parts.metrics.render(parts.catalogue.figures());
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch (error) {
      response.writeHead(500).end(messageOf(error));
    }
  });
}
