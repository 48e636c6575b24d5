import type { TrafficKeys } from '../keys.ts';
import { type Doors, IPV6_SLOTS, slotPort } from '../ports.ts';
import { LOG_FORMAT, LOG_LINE_BYTES, LOG_RING } from './log-line.ts';
import { GROUP } from './matches.ts';
import { renderBucketCookie, renderWeightedChoice } from './render-buckets.ts';
import { FLAGS } from './shares.ts';

/** Names the program that answers instead of an application, for people and for tests. */
export const ERROR_HEADER = 'X-Bascule-Error';
/** On requests of the built-in probes, with the token of this scope: they are nobody's, and no fair comparison. */
const PROBE_HEADER = 'X-Bascule-Probe';
const REQUEST_ID_HEADER = 'X-Request-ID';
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';

export interface FrontendSettings extends Doors {
  readonly maps: {
    readonly ports: string;
    readonly matches: string;
    readonly routes: string;
    readonly selectors: string;
    readonly challenges: string;
  };
  /** What certificates there are, and for whom. */
  readonly certificateList: string;
  readonly withIpv6: boolean;
  /** Connections that one public address may have open; 0: as many as it likes. */
  readonly connectionsPerClient: number;
  readonly keys: TrafficKeys;
}

/**
 * The lines of the frontend. Rules cost: one whose condition is a variable that is not set takes 10 ns, one that sets
 * a variable 75, a header 100, a look into a map 220. So whatever a plain route does not need hangs on one variable.
 */
export function renderFrontendLines(settings: FrontendSettings): readonly string[] {
  const { maps } = settings;
  return [
    ...renderBinds(settings),
    ...renderLog(),
    ...renderConnection(settings),
    'http-request set-log-level silent',
    renderChallenge(settings.maps),
    // Only what may safely be sent twice (RFC 9110, 9.2.2) is sent again after a connection was lost.
    'http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    ...renderForwarded(),
    // Most ports lead to one route, and one read of its entry decides: the lane alone, or all that a route with more to
    // it needs.
    `http-request set-var(txn.lane) var(sess.port),map(${maps.ports}),map(${maps.routes})`,
    // The plain case ends here.
    `http-request allow if ${IS_PLAIN} !${SPECIAL}`,
    ...renderForwardedBefore(),
    `http-request set-var(txn.share) var(txn.lane) if ${HAS_MORE}`,
    ...renderRouteChoice(maps),
    `http-request del-header ${PROBE_HEADER} unless ${SHARED}`,
    `http-request allow unless ${SHARED}`,
    ...renderShare(),
    ...renderLogged(settings.keys),
    // No application learns it.
    `http-request del-header ${PROBE_HEADER}`,
    ...renderSelection(maps.selectors),
    ...renderWeightedChoice(settings.keys),
    ...renderRedirect(),
    ...renderRequestId(),
    ...renderBodyLimit(),
    ...renderResponses(settings.keys),
    // No lane of this name: the default.
    'use_backend %[var(txn.lane)]',
    'default_backend unrouted',
  ];
}

/** A lane alone; whatever has more to it is longer. */
const IS_PLAIN = '{ var(txn.lane) -m len 1:15 }';
/** It has headers that most requests have not, and that we have to look after. */
const SPECIAL = '{ var(txn.special) -m found }';
const HAS_MORE = '{ var(txn.lane) -m sub | }';
const SHARED = '{ var(txn.share) -m found }';

/** The route's entry says one of these. */
function flagged(...letters: readonly string[]): string {
  return `{ var(txn.flags) -m sub ${letters.join(' ')} }`;
}

/** HTTP/1 and, by its preface, HTTP/2 without TLS; and both with it, as client and proxy agree. */
function renderBinds({ httpPort, tlsPort, withIpv6, certificateList }: FrontendSettings): readonly string[] {
  const tls = `ssl crt-list ${certificateList} alpn h2,http/1.1 ssl-min-ver TLSv1.2`;
  const slots = (door: number): string => `bind [::]:${slotPort(door, 0)}-${slotPort(door, IPV6_SLOTS - 1)} v6only`;
  return [
    `bind 0.0.0.0:${httpPort}`,
    `bind 0.0.0.0:${tlsPort} ${tls}`,
    ...(withIpv6 ? [slots(httpPort), `${slots(tlsPort)} ${tls}`] : []),
  ];
}

/** Who asks for a certificate proves that the host is his (RFC 8555, 8.3): no application sees this. */
function renderChallenge({ challenges }: FrontendSettings['maps']): string {
  const isAsked = `{ path_beg ${CHALLENGE_PATH} } { path,map(${challenges}) -m found }`;
  return `http-request return status 200 content-type text/plain lf-string "%[path,map(${challenges})]" if ${isAsked}`;
}

function renderLog(): readonly string[] {
  return [
    `log ring@${LOG_RING} len ${LOG_LINE_BYTES} format raw local0`,
    `log-format "${LOG_FORMAT}"`,
    'option dontlognull',
  ];
}

/** Who may say what a request was like before it came to us: this machine and private networks. */
const PRIVATE = '127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7';

/**
 * What is the same for all requests of a connection. Connections are counted for public addresses only: a load balancer
 * before us brings those of everybody. Whoever has one IPv6 address has all of its /64.
 */
function renderConnection({ maps, connectionsPerClient }: FrontendSettings): readonly string[] {
  const limit = [
    `tcp-request connection track-sc0 src,ipmask(32,64) table clients unless { src ${PRIVATE} }`,
    `tcp-request connection reject if { sc0_conn_cur gt ${connectionsPerClient} }`,
  ];
  return [
    ...(connectionsPerClient === 0 ? [] : limit),
    // The port and address that the client meant: the kernel remembers them across the redirect.
    'tcp-request session set-var(sess.port) dst_port,concat()',
    // … of IPv4 connections; a slot stands for a port of IPv6.
    `tcp-request session set-var(sess.slot_of) str(6),concat(@,sess.port),map(${maps.ports})`,
    'tcp-request session set-var(sess.port) var(sess.slot_of) if { var(sess.slot_of) -m found }',
    'tcp-request session set-var(sess.address) dst,concat(@,sess.port)',
    'tcp-request session set-var(sess.scheme) str(http)',
    'tcp-request session set-var(sess.scheme) str(https) if { ssl_fc }',
    `tcp-request session set-var(sess.trusted) bool(true) if { src ${PRIVATE} }`,
  ];
}

/** What follows a slash or a bar is no host name: in the key it would pass for the path. */
const HOST = "req.hdr(Host),regsub('[:/|].*',),lower";

/** Names the route, and looks into a group: the host itself, its wildcard, any host. */
function renderRouteChoice(maps: FrontendSettings['maps']): readonly string[] {
  const grouped = '{ var(txn.group) -m found }';
  const open = `${grouped} { var(txn.route) -m beg ${GROUP} }`;
  const look = (host: string): string =>
    `http-request set-var(txn.route) var(txn.group),concat(|,${host}),concat(,txn.path,/),map_beg(${maps.matches})`;
  return [
    `http-request set-var(txn.route) var(sess.port),map(${maps.ports})`,
    `http-request set-var(txn.group) var(txn.route) if { var(txn.route) -m beg ${GROUP} }`,
    `http-request set-var(txn.route) var(sess.address),map(${maps.ports}) if ${grouped}`,
    `http-request set-var(txn.group) var(txn.route) if ${open}`,
    `http-request set-var(txn.host) ${HOST} if ${grouped}`,
    `http-request set-var(txn.path) path if ${grouped}`,
    `${look('txn.host')} if ${open}`,
    `http-request set-var(txn.host) ${HOST},regsub(^[^.]*,*) if ${open}`,
    `${look('txn.host')} if ${open}`,
    `${look('txn.no_host')} if ${open}`,
    // Also where the port was a group a moment ago, and is none any more.
    `http-request set-var(txn.lane) var(txn.route),map(${maps.routes}) unless { var(txn.lane) -m found }`,
    `http-request set-var(txn.share) var(txn.lane) if ${HAS_MORE}`,
  ];
}

function renderShare(): readonly string[] {
  return [
    'http-request set-var(txn.lane) var(txn.share),field(1,|)',
    'http-request set-var(txn.weight) var(txn.share),field(3,|),add(0)',
    'http-request set-var(txn.selector) var(txn.share),field(4,|)',
    'http-request set-var(txn.flags) var(txn.share),field(5,|)',
    'http-request set-var(txn.max_body) var(txn.share),field(6,|),add(0) unless { var(txn.share) -m end |- }',
  ];
}

/** Neither cookies nor authorization are remembered, and query strings only where the route asks for them. */
function renderLogged({ probeToken }: TrafficKeys): readonly string[] {
  const logged = flagged(FLAGS.accessLog);
  return [
    `http-request set-log-level info if ${flagged(FLAGS.observed, FLAGS.accessLog)}`,
    `http-request set-var(txn.began) date(0,us) if ${flagged(FLAGS.observed, FLAGS.accessLog)}`,
    `http-request set-var(txn.method) method if ${flagged(FLAGS.observed, FLAGS.accessLog)}`,
    `http-request set-var(txn.by) str(probe) if ${flagged(FLAGS.observed)} { req.hdr(${PROBE_HEADER}) -m str ${probeToken} }`,
    `http-request set-var(txn.protocol) req.ver if ${logged}`,
    `http-request set-var(txn.log_host) req.hdr(Host),json(utf8s) if ${logged}`,
    `http-request set-var(txn.log_path) path,json(utf8s) if ${logged}`,
    `http-request set-var(txn.log_path) pathq,json(utf8s) if ${flagged(FLAGS.query)}`,
    `http-request set-var(txn.agent) req.hdr(User-Agent),json(utf8s) if ${logged}`,
    `http-request set-var(txn.referer) req.hdr(Referer),field(1,?),json(utf8s) if ${logged}`,
  ];
}

/** Who is chosen by what he is or says gets neither a bucket nor a cookie. */
function renderSelection(selectors: string): readonly string[] {
  const selected = '{ var(txn.selector) -m beg s }';
  const chosen = '{ var(txn.chosen) -m found }';
  return [
    `http-request set-var(txn.client) src,hex if ${selected}`,
    `http-request set-var(txn.headers) req.hdrs if ${selected}`,
    `http-request set-var(txn.chosen) var(txn.selector),concat(@,txn.client),concat(@,txn.headers),map_reg(${selectors}) if ${selected}`,
    `http-request set-var(txn.lane) var(txn.chosen),field(1,|) if ${chosen}`,
    `http-request set-var(txn.by) var(txn.chosen),field(2,|) if ${chosen}`,
    `http-request set-var(txn.weight) int(0) if ${chosen}`,
  ];
}

/** Rules for responses run for those of applications, not for those that the proxy makes: this tells the two apart. */
function renderResponses(keys: TrafficKeys): readonly string[] {
  const failed = '{ var(txn.failed) -m found }';
  return [
    `http-response del-header ${ERROR_HEADER}`,
    // The plain case ends here.
    `http-response allow unless ${SHARED} || { status ge 500 }`,
    'http-response set-var(txn.answered) date(0,us) if { var(txn.began) -m found }',
    'http-response set-var(txn.failed) bool(true) if { status ge 500 }',
    `http-response track-sc1 var(txn.lane) table lane-errors if ${failed}`,
    `http-response sc-inc-gpc0(1) if ${failed}`,
    ...renderBucketCookie(keys),
  ];
}

/** A proxy before us that speaks TLS says so. Where it is not 443, the port stands behind the route's flags. */
function renderRedirect(): readonly string[] {
  const wanted = flagged(FLAGS.redirectToHttps);
  const secure = '{ var(sess.trusted) -m found } { req.hdr(X-Forwarded-Proto) -i https }';
  return [
    `http-request set-var(txn.is_secure) bool(true) if ${wanted} ${secure} || ${wanted} { ssl_fc }`,
    `http-request redirect prefix https://%[req.hdr(Host),field(1,:)]%[var(txn.flags),regsub(^[^:]*,)] code 308 if ${wanted} !{ var(txn.is_secure) -m found }`,
  ];
}

/** A body of unknown length is let through when all of it is there at once, in the same buffer as the head. */
const SMALL_HEAD_BYTES = 4_096;
const SMALL_BODY_BYTES = 8_192;

function renderBodyLimit(): readonly string[] {
  const limited = '{ var(txn.max_body) -m int gt 0 }';
  const unknown = `${limited} !{ req.hdr(Content-Length) -m found }`;
  const tooLong = '413 content-type text/plain string "The body of this request is longer than this service takes.\\n"';
  const noLength =
    '411 content-type text/plain string "This service takes bodies of a known length only: send a Content-Length.\\n"';
  return [
    `http-request set-var(txn.over) req.hdr(Content-Length),sub(txn.max_body) if ${limited}`,
    `http-request wait-for-body time 30s if ${unknown}`,
    `http-request set-var(txn.over) req.body_len,sub(txn.max_body) if ${unknown}`,
    `http-request return status ${tooLong} hdr ${ERROR_HEADER} body-too-long if ${limited} { var(txn.over) -m int gt 0 }`,
    `http-request return status ${noLength} hdr ${ERROR_HEADER} length-required if ${unknown} { req.body_len gt ${SMALL_BODY_BYTES} }`,
    `http-request return status ${noLength} hdr ${ERROR_HEADER} length-required if ${unknown} { req.body_len gt 0 } { req.hdrs,length gt ${SMALL_HEAD_BYTES} }`,
  ];
}

/** As the client asked. All names are looked through once, not for each header that a request might have. */
function renderForwarded(): readonly string[] {
  return [
    // What an outsider says of those before him goes; `option forwardfor` adds his own address later.
    'http-request del-header X-Forwarded- -m beg unless { var(sess.trusted) -m found }',
    `http-request set-var(txn.special) bool(true) if { req.hdr_names -m sub -i x-forwarded- ${PROBE_HEADER} }`,
    'http-request add-header X-Forwarded-Proto %[var(sess.scheme)]',
    'http-request add-header X-Forwarded-Host %[req.hdr(Host)]',
    'http-request add-header X-Forwarded-Port %[var(sess.port)]',
  ];
}

/** What the first proxy said stands, when it is on this machine or in a private network: it comes before ours. */
function renderForwardedBefore(): readonly string[] {
  return ['X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port'].map(
    (name) => `http-request set-header ${name} %[req.fhdr(${name},1)] if ${SPECIAL}`,
  );
}

/** Taken over from those who may say it; the answers of the proxy itself carry it too. */
function renderRequestId(): readonly string[] {
  const wanted = flagged(FLAGS.requestId);
  const known = '{ var(txn.id) -m found }';
  return [
    // Looked at after it was taken: of several headers, or of one with commas, a test of the request would accept any.
    `http-request set-var(txn.id) req.fhdr(${REQUEST_ID_HEADER}) if ${wanted} { var(sess.trusted) -m found }`,
    `http-request unset-var(txn.id) if ${known} !{ var(txn.id) -m reg ^[A-Za-z0-9._+/=:-]{1,128}$ }`,
    `http-request set-var(txn.id) uuid() if ${wanted} !${known}`,
    `http-request set-header ${REQUEST_ID_HEADER} %[var(txn.id)] if ${known}`,
    `http-after-response set-header ${REQUEST_ID_HEADER} %[var(txn.id)] if ${known}`,
  ];
}
