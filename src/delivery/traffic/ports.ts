import { UserError } from '../../lib/errors.ts';
import type { PortHolder, PortKey, PublishedPort, RouteMatch } from './traffic.ts';

/**
 * The published port that stands in the way of another: same number, same transport, addresses that overlap, and, for
 * `http`, the same requests.
 */
export function conflictOf(wanted: PublishedPort, published: readonly PublishedPort[]): PublishedPort | undefined {
  return published.find((port) => (overlaps(wanted, port) && !isSame(wanted, port)) || speaksOtherwise(wanted, port));
}

/** With TLS or without it, one port speaks one language; projects agree with themselves. */
function speaksOtherwise(wanted: PublishedPort, other: PublishedPort): boolean {
  const projectOf = ({ route }: PublishedPort): string => route.split('/', 1)[0] ?? '';
  return isSamePort(wanted, other) && isTls(wanted) !== isTls(other) && projectOf(wanted) !== projectOf(other);
}

function isTls({ tls }: Pick<PublishedPort, 'tls'>): boolean {
  return tls === true;
}

export function isSamePort(a: PortKey, b: PortKey): boolean {
  return a.port === b.port && a.protocol === b.protocol && a.hostAddress === b.hostAddress;
}

function isSame(a: PublishedPort, b: PublishedPort): boolean {
  return isSamePort(a, b) && isSameMatch(a, b) && a.route === b.route;
}

function isSameMatch(a: RouteMatch, b: RouteMatch): boolean {
  return a.host === b.host && a.path === b.path;
}

/** One way to write each match: hosts in small letters, paths without a slash at their end, the whole of them absent. */
export function normalisedMatch<T extends RouteMatch>(match: T): T {
  const { host, path, ...rest } = match;
  const [name, prefix] = [host?.toLowerCase().replace(/\.$/, ''), path?.replace(/\/+$/, '')];
  return {
    ...rest,
    ...(name === undefined || name === '' || name === '*' ? {} : { host: name }),
    ...(prefix === undefined || prefix === '' ? {} : { path: prefix }),
  } as T;
}

function overlaps(a: PublishedPort, b: PublishedPort): boolean {
  if (a.port !== b.port || transportOf(a) !== transportOf(b)) return false;
  const areHttp = a.protocol === 'http' && b.protocol === 'http';
  if (a.hostAddress === b.hostAddress) return !areHttp || isSameMatch(a, b);
  // A port of one address beside the same port of every address: the narrower one wins for `http`.
  const isNarrower = a.hostAddress === undefined || b.hostAddress === undefined;
  return isNarrower && !areHttp;
}

export function transportOf(port: PortKey): 'tcp' | 'udp' {
  return port.protocol === 'udp' ? 'udp' : 'tcp';
}

/**
 * HAProxy learns the original port of redirected IPv4 connections only. For IPv6 it listens on a row of ports after
 * its main one, and each published port is redirected to one of its own: its slot.
 */
export const IPV6_SLOTS = 64;

/** Where the proxy listens: the ports that all published ones are redirected to. Slots come after each. */
export interface Doors {
  readonly httpPort: number;
  readonly tlsPort: number;
}

export function doorOf({ httpPort, tlsPort }: Doors, { tls }: Pick<PublishedPort, 'tls'>): number {
  return tls === true ? tlsPort : httpPort;
}

/** The port of the proxy that a slot stands for. */
export function slotPort(door: number, slot: number): number {
  return door + 1 + slot;
}

export interface RecordedPort extends PublishedPort {
  /** 0 to IPV6_SLOTS - 1; none: this port is published by IPv4 only. */
  readonly slot?: number;
}

/** The slot that this port has already, else the lowest that nobody has; only ports of every address get one. Undefined when all are taken. */
export function slotFor(port: PublishedPort, recorded: readonly RecordedPort[]): number | undefined {
  if (port.protocol !== 'http' || port.hostAddress !== undefined) return undefined;
  const behind = recorded.filter((other) => isTls(other) === isTls(port));
  const own = behind.find((other) => isSamePort(other, port))?.slot;
  if (own !== undefined) return own;
  const taken = new Set(behind.map(({ slot }) => slot));
  return Array.from({ length: IPV6_SLOTS }, (_, slot) => slot).find((slot) => !taken.has(slot));
}

/** A socket that listens, as the kernel lists it. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly inode: number;
}

const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';

/** Reads /proc/net/{tcp,tcp6,udp,udp6}: the sockets that wait for anybody. */
export function parseListeners(text: string): readonly Listener[] {
  return text.split('\n').flatMap((line): Listener[] => {
    const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    if (state !== TCP_LISTEN && state !== UDP_UNCONNECTED) return [];
    return [{ address: parseAddress(address), port: Number.parseInt(port, 16), inode: Number(inode) }];
  });
}

/** The kernel prints addresses as words in the order of this machine's bytes. */
function parseAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].toReversed());
  if (bytes.length === 4) return bytes.join('.');
  const mapped = bytes.slice(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));
  if (mapped) return bytes.slice(12).join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  return Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16)).join(
    ':',
  );
}

const ANY = new Set(['0.0.0.0', '::']);

/** The listener that would no longer be reached, or would be hidden, if this port were published. */
export function listenerFor(wanted: PortKey, listeners: readonly Listener[]): Listener | undefined {
  return listeners.find(
    ({ address, port }) =>
      port === wanted.port &&
      (wanted.hostAddress === undefined ||
        ANY.has(address) ||
        ANY.has(wanted.hostAddress) ||
        address === wanted.hostAddress),
  );
}

export function portInUse(wanted: PortKey, holder: PortHolder): UserError {
  const who = holder.program === undefined ? 'another program' : `${holder.program} (pid ${holder.pid ?? 'unknown'})`;
  return new UserError({
    code: 'port-in-use',
    kind: 'conflict',
    message: `port ${wanted.port}/${transportOf(wanted)} of this host is held by ${who}, listening on ${holder.address}`,
    fix: `Stop it, or publish another port in the Compose file, for example "${wanted.port + 1}:…".`,
    details: { port: wanted.port, holder },
  });
}

export function portPublished(wanted: PublishedPort, other: PublishedPort): UserError {
  const what = matchText(other);
  if (speaksOtherwise(wanted, other)) return portSpeaksOtherwise(wanted, other);
  return new UserError({
    code: 'port-published',
    kind: 'conflict',
    message: `port ${wanted.port}/${transportOf(wanted)} of this host already leads to ${other.route}${what}`,
    fix:
      wanted.protocol === 'http' && other.protocol === 'http'
        ? `Publish another port for ${wanted.route}, give it a host or a path of its own, or take down the project that has this one.`
        : `Publish another port for ${wanted.route}, or take down the project that has this one.`,
    details: { port: wanted.port, route: other.route },
  });
}

function portSpeaksOtherwise(wanted: PublishedPort, other: PublishedPort): UserError {
  const [is, wants] = isTls(other) ? ['speaks TLS', 'without TLS'] : ['speaks no TLS', 'with TLS'];
  return new UserError({
    code: 'port-published',
    kind: 'conflict',
    message: `port ${wanted.port} of this host ${is} for ${other.route}, and ${wanted.route} wants it ${wants}`,
    fix: `Publish another port for ${wanted.route}, or let both have \`x-bascule.tls\` for this port, or neither.`,
    details: { port: wanted.port, route: other.route },
  });
}

function matchText({ host, path }: RouteMatch): string {
  return host === undefined && path === undefined ? '' : ` for ${host ?? ''}${path ?? ''}`;
}
