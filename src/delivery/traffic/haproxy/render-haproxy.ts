import { createHash } from 'node:crypto';
import { laneName } from '../lanes.ts';
import { IPV6_SLOTS, slotPort } from '../ports.ts';
import type { LaneId } from '../traffic.ts';
import { isAtLeast, type ProxyVersion } from './version.ts';

/** Everything that the configuration depends on, besides the instances that it starts with. */
export interface ProxySettings {
  readonly version: ProxyVersion;
  /** Folder of the runtime socket and of the maps that the proxy reads when it starts. */
  readonly runDirectory: string;
  /** The one port that all published HTTP ports are redirected to. */
  readonly httpPort: number;
  readonly withIpv6: boolean;
  readonly laneCount: number;
  /** Connections at the same time, clients only; each needs two file descriptors. */
  readonly maxConnections: number;
  /** The account that the proxy changes to once its sockets are open; undefined: stay. */
  readonly account?: { readonly user: string; readonly group: string };
}

export interface StartInstance {
  readonly lane: LaneId;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly isDraining: boolean;
}

/** Names the program that answers instead of an application, for people and for tests. */
const ERROR_HEADER = 'X-Bascule-Error';
/** Holds a client's bucket, 0 to 9,999, while a route has two sides. */
const BUCKET_COOKIE = 'bascule-bucket';
/** For clients that keep no cookies: the same, as a request header. */
const BUCKET_HEADER = 'Bascule-Bucket';

/** After a replacement, how long kept-alive connections may still be served by the old process, with the old routes. */
export const LEAVE_MS = 3_000;

export const socketPathOf = (runDirectory: string): string => `${runDirectory}/admin.sock`;
export const portsMapOf = (runDirectory: string): string => `${runDirectory}/ports.map`;
export const routesMapOf = (runDirectory: string): string => `${runDirectory}/routes.map`;

/** The configuration that the proxy starts with; instances that were added later are not in it. */
export function renderConfiguration(settings: ProxySettings, instances: readonly StartInstance[]): string {
  return [
    renderGlobal(settings),
    renderDefaults(),
    renderFrontend(settings),
    renderHelpers(),
    ...renderLanes(settings, instances),
  ].join('\n');
}

/** Tells configurations apart: a running proxy with another one is replaced, seamlessly, when Bascule is upgraded. */
export function fingerprintOf(settings: ProxySettings): string {
  const unsigned = [renderDefaults(), renderFrontend(settings), renderHelpers(), ...renderLanes(settings, [])];
  const text = [...unsigned, settings.maxConnections, settings.version.text].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function renderGlobal(settings: ProxySettings): string {
  return section('global', [
    `description bascule ${fingerprintOf(settings)}`,
    `stats socket ${socketPathOf(settings.runDirectory)} mode 0660 level admin expose-fd listeners`,
    'stats timeout 7d',
    `maxconn ${settings.maxConnections}`,
    // Only after a replacement by a newer Bascule: how long the old process may keep its last long connections.
    'hard-stop-after 24h',
    // … and how it takes leave of kept-alive connections: by a header on their next response, not by closing at once.
    ...(isAtLeast(settings.version, 2, 5) ? [`close-spread-time ${LEAVE_MS}ms`] : []),
    ...(settings.account === undefined ? [] : [`user ${settings.account.user}`, `group ${settings.account.group}`]),
  ]);
}

function renderDefaults(): string {
  return section('defaults', [
    'mode http',
    'balance leastconn',
    // Idle connections to instances are shared, but a client's first request never travels on one that may be closing.
    'http-reuse safe',
    'option forwardfor',
    'option http-ignore-probes',
    'option clitcpka',
    'option srvtcpka',
    // A connection that could not be made is tried again, at another instance when there is one. A connection that
    // closed without an answer is tried again only for requests that the frontend has not excluded.
    'retries 3',
    'option redispatch 1',
    'retry-on conn-failure empty-response',
    'timeout connect 4s',
    'timeout check 2s',
    'timeout queue 30s',
    'timeout http-request 30s',
    'timeout http-keep-alive 60s',
    'timeout client 10m',
    'timeout server 10m',
    'timeout client-fin 30s',
    'timeout server-fin 30s',
    'timeout tunnel 24h',
    ...Object.entries(PROXY_ANSWERS).map(
      ([status, { word, text }]) =>
        `http-error status ${status} content-type text/plain string "${text}\\n" hdr ${ERROR_HEADER} ${word}`,
    ),
  ]);
}

/** The answers that the proxy makes itself. */
const PROXY_ANSWERS: Readonly<Record<string, { readonly word: string; readonly text: string }>> = {
  400: { word: 'bad-request', text: 'Bad request: this is not HTTP that the proxy understands.' },
  408: { word: 'request-timeout', text: 'The request did not arrive in time.' },
  500: { word: 'proxy-failure', text: 'The proxy failed.' },
  502: { word: 'bad-response', text: 'The application closed the connection without a whole answer.' },
  503: { word: 'no-instance', text: 'No instance of the application accepts connections.' },
  504: { word: 'timeout', text: 'The application did not answer in time.' },
};

function renderFrontend(settings: ProxySettings): string {
  const ports = portsMapOf(settings.runDirectory);
  const routes = routesMapOf(settings.runDirectory);
  return section('frontend http', [
    `bind 0.0.0.0:${settings.httpPort}`,
    ...(settings.withIpv6
      ? [`bind [::]:${slotPort(settings.httpPort, 0)}-${slotPort(settings.httpPort, IPV6_SLOTS - 1)} v6only`]
      : []),
    // The port and address that the client meant: the kernel remembers them across the redirect.
    'http-request set-var(txn.port) dst_port',
    // … of IPv4 connections; a slot stands for a port of IPv6.
    `http-request set-var(txn.slot_of) str(6),concat(@,txn.port),map(${ports})`,
    'http-request set-var(txn.port) var(txn.slot_of) if { var(txn.slot_of) -m found }',
    `http-request set-var(txn.route) dst,concat(@,txn.port),map(${ports})`,
    `http-request set-var(txn.route) var(txn.port),map(${ports}) unless { var(txn.route) -m found }`,
    // One read of one entry decides: stable lane | candidate lane | weight.
    `http-request set-var(txn.share) var(txn.route),map(${routes})`,
    'http-request set-var(txn.lane) var(txn.share),field(1,|)',
    'http-request set-var(txn.weight) var(txn.share),field(3,|),add(0)',
    ...renderWeightedChoice(),
    'http-request track-sc0 var(txn.lane) table lane-errors if { var(txn.lane) -m found }',
    // Only what may safely be sent twice (RFC 9110, 9.2.2) is sent again after a connection was lost.
    'http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    ...renderForwarded(),
    // Responses of applications pass here, those that the proxy makes do not: this tells the two apart.
    'http-response sc-inc-gpc0(0) if { status ge 500 }',
    `http-response del-header ${ERROR_HEADER}`,
    ...renderBucketCookie(),
    'use_backend %[var(txn.lane)] if { var(txn.lane) -m found }',
    'default_backend unrouted',
  ]);
}

/** bucket < weight goes to the candidate: whoever is there stays there while the weight grows. */
function renderWeightedChoice(): readonly string[] {
  const weighted = '{ var(txn.weight) -m int 1:9999 }';
  const valid = (sample: string): string => `{ ${sample} -m reg ^[0-9]{1,4}$ }`;
  const header = `req.hdr(${BUCKET_HEADER})`;
  const cookie = `req.cook(${BUCKET_COOKIE})`;
  const none = '!{ var(txn.bucket) -m found }';
  return [
    'http-request set-var(txn.lane) var(txn.share),field(2,|) if { var(txn.weight) -m int ge 10000 }',
    `http-request set-var(txn.bucket) ${header},add(0) if ${weighted} ${valid(header)}`,
    `http-request set-var(txn.bucket) ${cookie},add(0) if ${weighted} ${none} ${valid(cookie)}`,
    `http-request set-var(txn.is_new) int(1) if ${weighted} ${none}`,
    `http-request set-var(txn.bucket) rand(10000) if ${weighted} ${none}`,
    `http-request set-var(txn.distance) var(txn.bucket),sub(txn.weight) if ${weighted}`,
    `http-request set-var(txn.lane) var(txn.share),field(2,|) if ${weighted} { var(txn.distance) -m int lt 0 }`,
  ];
}

/** Not on responses that a shared cache may keep: one client's bucket would become everybody's. */
function renderBucketCookie(): readonly string[] {
  const value = `"${BUCKET_COOKIE}=%[var(txn.bucket)]; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"`;
  const isNew = '{ var(txn.is_new) -m found }';
  const isShared = '{ res.hdr(Cache-Control) -m sub -i public s-maxage }';
  return [`http-response add-header Set-Cookie ${value} if ${isNew} !${isShared}`];
}

/** What the first proxy said stands, when it is on this machine or in a private network; else we are the first. */
function renderForwarded(): readonly string[] {
  const headers = {
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': '%[req.hdr(Host)]',
    'X-Forwarded-Port': '%[var(txn.port)]',
  };
  const isPrivate = '{ src 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1 fc00::/7 }';
  return Object.entries(headers).flatMap(([name, value]) => [
    `http-request set-header ${name} ${value} unless ${isPrivate}`,
    `http-request set-header ${name} ${value} unless { req.hdr(${name}) -m found }`,
  ]);
}

function renderHelpers(): string {
  const text = 'Nothing is deployed behind port %[var(txn.port)] of this host.\\n';
  return [
    section('backend lane-errors', ['stick-table type string len 31 size 16k store gpc0']),
    section('backend unrouted', [
      `http-request return status 503 content-type text/plain lf-string "${text}" hdr ${ERROR_HEADER} no-route`,
    ]),
  ].join('\n');
}

function renderLanes(settings: ProxySettings, instances: readonly StartInstance[]): readonly string[] {
  const isEventStream = '{ req.hdr(Accept) -m sub -i text/event-stream }';
  return Array.from({ length: settings.laneCount }, (_, index) => {
    const own = instances.filter((instance) => instance.lane === laneName(index));
    return section(`backend ${laneName(index)}`, [
      `http-request set-timeout server 24h if ${isEventStream}`,
      ...own.map(
        (instance) =>
          `server ${renderServer(instance)} ${serverOptions(settings.version)}${instance.isDraining ? ' disabled' : ''}`,
      ),
    ]);
  });
}

function renderServer({ name, address, port }: StartInstance): string {
  return `${name} ${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Options of every server. Servers that are added at run time can be checked since 2.5. */
export function serverOptions(version: ProxyVersion): string {
  const pool = 'pool-purge-delay 1s';
  return isAtLeast(version, 2, 5) ? `check inter 2s fastinter 250ms downinter 250ms fall 2 rise 1 ${pool}` : pool;
}

/** The file of a map as the proxy reads it when it starts. */
export function renderMap(entries: ReadonlyMap<string, string>): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join('');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
