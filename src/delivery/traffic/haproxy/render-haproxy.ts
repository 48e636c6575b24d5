import { createHash } from 'node:crypto';
import { laneName } from '../lanes.ts';
import type { TrafficKeys } from '../keys.ts';
import type { Doors } from '../ports.ts';
import { isSlot, PARKED, SLOTS } from '../slots.ts';
import type { RecordedInstance } from '../state.ts';
import { LOG_LINE_BYTES, LOG_RING, LOG_RING_BYTES } from './log-line.ts';
import { ERROR_HEADER, renderFrontendLines } from './render-frontend.ts';
import { isAtLeast, type ProxyVersion } from './version.ts';

/** Everything that the configuration depends on, besides the instances that it starts with. */
export interface ProxySettings extends Doors {
  readonly version: ProxyVersion;
  /** Folder of the runtime socket and of the maps that the proxy reads when it starts. */
  readonly runDirectory: string;
  readonly withIpv6: boolean;
  readonly laneCount: number;
  /** Connections at the same time, clients only; each needs two file descriptors. */
  readonly maxConnections: number;
  /** Connections that one public address may have open; 0: as many as it likes. */
  readonly connectionsPerClient: number;
  readonly keys: TrafficKeys;
  /** The account that the proxy changes to once its sockets are open; undefined: stay. */
  readonly account?: { readonly user: string; readonly group: string };
}

/** After a replacement, how long kept-alive connections may still be served by the old process, with the old routes. */
export const LEAVE_MS = 3_000;

export const socketPathOf = (runDirectory: string): string => `${runDirectory}/admin.sock`;
export const portsMapOf = (runDirectory: string): string => `${runDirectory}/ports.map`;
export const matchesMapOf = (runDirectory: string): string => `${runDirectory}/matches.map`;
export const selectorsMapOf = (runDirectory: string): string => `${runDirectory}/selectors.map`;
export const challengesMapOf = (runDirectory: string): string => `${runDirectory}/challenges.map`;
export const certificateListOf = (runDirectory: string): string => `${runDirectory}/certificates.list`;
export const routesMapOf = (runDirectory: string): string => `${runDirectory}/routes.map`;

/** The configuration that the proxy starts with; instances that were added later are not in it. */
export function renderConfiguration(settings: ProxySettings, instances: readonly RecordedInstance[]): string {
  return [
    renderGlobal(settings),
    renderLogRing(),
    renderDefaults(),
    renderFrontend(settings),
    renderHelpers(),
    ...renderLanes(settings, instances),
  ].join('\n');
}

/** Tells configurations apart: a running proxy with another one is replaced, seamlessly, when Bascule is upgraded. */
export function fingerprintOf(settings: ProxySettings): string {
  const unsigned = [
    renderLogRing(),
    renderDefaults(),
    renderFrontend(settings),
    renderHelpers(),
    ...renderLanes(settings, []),
  ];
  const text = [...unsigned, settings.maxConnections, settings.version.text].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function renderGlobal(settings: ProxySettings): string {
  return section('global', [
    `description bascule ${fingerprintOf(settings)}`,
    `stats socket ${socketPathOf(settings.runDirectory)} mode 0660 level admin expose-fd listeners`,
    'stats timeout 7d',
    // The runtime API: who watches, who reads the log, and some who ask at the same time.
    'stats maxconn 40',
    // A request's head must fit into 15 KiB.
    'tune.bufsize 16384',
    'tune.maxrewrite 1024',
    'tune.http.maxhdr 128',
    'tune.ssl.default-dh-param 2048',
    `maxconn ${settings.maxConnections}`,
    // Only after a replacement by a newer Bascule: how long the old process may keep its last long connections.
    'hard-stop-after 24h',
    // … and how it takes leave of kept-alive connections: by a header on their next response, not by closing at once.
    ...(isAtLeast(settings.version, 2, 5) ? [`close-spread-time ${LEAVE_MS}ms`] : []),
    ...(settings.account === undefined ? [] : [`user ${settings.account.user}`, `group ${settings.account.group}`]),
  ]);
}

/** Requests that are logged wait here until the daemon reads them by the runtime API ("show events"). */
function renderLogRing(): string {
  return section(`ring ${LOG_RING}`, ['format raw', `maxlen ${LOG_LINE_BYTES}`, `size ${LOG_RING_BYTES}`]);
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
    `default-server ${CHECK} ${POOL}`,
    'timeout connect 4s',
    'timeout check 2s',
    'timeout queue 30s',
    'timeout http-request 30s',
    'timeout http-keep-alive 60s',
    // A client that takes nothing of its answer; while an application works on it clients may be silent.
    'timeout client 2m',
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
  const { runDirectory } = settings;
  const maps = {
    ports: portsMapOf(runDirectory),
    matches: matchesMapOf(runDirectory),
    routes: routesMapOf(runDirectory),
    selectors: selectorsMapOf(runDirectory),
    challenges: challengesMapOf(runDirectory),
  };
  const certificateList = certificateListOf(runDirectory);
  return section('frontend http', renderFrontendLines({ ...settings, maps, certificateList }));
}

function renderHelpers(): string {
  const text = 'Nothing is deployed behind port %[var(sess.port)] of this host.\\n';
  return [
    section('backend clients', ['stick-table type ipv6 size 100k expire 1m store conn_cur']),
    section('backend lane-errors', ['stick-table type string len 31 size 16k store gpc0']),
    section('backend unrouted', [
      `http-request return status 503 content-type text/plain lf-string "${text}" hdr ${ERROR_HEADER} no-route`,
    ]),
  ].join('\n');
}

function renderLanes(settings: ProxySettings, instances: readonly RecordedInstance[]): readonly string[] {
  const isStream =
    '{ req.fhdr(Accept) -m sub -i text/event-stream } || { fc_http_major 2 } { req.hdr(Content-Type) -m beg application/grpc }';
  return Array.from({ length: settings.laneCount }, (_, index) => {
    const own = instances.filter((instance) => instance.lane === laneName(index));
    return section(`backend ${laneName(index)}`, [
      `http-request set-timeout server 24h if ${isStream}`,
      ...SLOTS.map((slot) => renderSlot(slot, own)),
      ...own
        .filter(({ server }) => !isSlot(server))
        .map(
          (instance) => `${renderServer(instance)} ${serverOptions(settings.version, instance)}${disabled(instance)}`,
        ),
    ]);
  });
}

/** Its options stand in the defaults. */
function renderSlot(slot: string, own: readonly RecordedInstance[]): string {
  const instance = own.find(({ server }) => server === slot);
  return instance === undefined
    ? `${renderServer({ server: slot, ...PARKED })} disabled`
    : `${renderServer(instance)}${disabled(instance)}`;
}

function renderServer({ server, address, port }: Pick<RecordedInstance, 'server' | 'address' | 'port'>): string {
  return `server ${server} ${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function disabled({ isDraining }: RecordedInstance): string {
  return isDraining ? ' disabled' : '';
}

const CHECK = 'check inter 2s fastinter 250ms downinter 250ms fall 2 rise 1';
const POOL = 'pool-purge-delay 1s';

/** Options of a server of an instance's own. Servers that are added at run time can be checked since 2.5. */
export function serverOptions(version: ProxyVersion, { protocol }: Pick<RecordedInstance, 'protocol'>): string {
  return [...(isAtLeast(version, 2, 5) ? [CHECK] : []), ...(protocol === 'h2' ? ['proto h2'] : []), POOL].join(' ');
}

/** The file of a map as the proxy reads it when it starts. */
export function renderMap(entries: ReadonlyMap<string, string>): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join('');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
