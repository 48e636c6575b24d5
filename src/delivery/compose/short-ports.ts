import { expected, integer, invalid, type Kind, list, string, text } from './kinds.ts';
import { type Node, textOf } from './node.ts';
import { object, required } from './object.ts';
import type { Port } from './service.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp']);
const FIX = 'Write HOST:CONTAINER, for example "8080:80", "127.0.0.1:8080:80", "8000-8002:80-82" or "53:53/udp".';

/** One entry of `ports` in the short form makes one or more ports. */
function parsePort(spec: string): readonly Port[] | string {
  const match = /^(?:(.*):)?([^:]*?)(?:\/([^/]*))?$/.exec(spec);
  const [, front, container = '', protocol = 'tcp'] = match ?? [];
  if (!PROTOCOLS.has(protocol.toLowerCase())) return `unknown protocol "${protocol}"`;
  const target = parseRange(container);
  if (target === undefined || target.first === 0) return `invalid container port "${container}"`;
  const host = parseHost(front);
  if (typeof host === 'string') return host;
  return pairs(target, host.range, {
    ...(host.address !== undefined && { host_ip: host.address }),
    protocol: protocol.toLowerCase(),
  });
}

/** `8080`, `127.0.0.1:8080`, `[::1]:8080`, `127.0.0.1:` and nothing at all. */
function parseHost(front: string | undefined): { address?: string; range?: Range } | string {
  if (front === undefined) return {};
  const match = /^(?:(\[[^\]]*\]|[^:]*):)?([^:]*)$/.exec(front);
  if (match === null) return `invalid host address in "${front}"`;
  const [, bracketed, port = ''] = match;
  const address = bracketed?.replace(/^\[|\]$/g, '');
  if (address !== undefined && address !== '' && !isAddress(address)) return `invalid host address "${address}"`;
  const range = port === '' ? undefined : parseRange(port);
  if (port !== '' && range === undefined) return `invalid host port "${port}"`;
  return { ...(address !== undefined && address !== '' && { address }), ...(range !== undefined && { range }) };
}

function pairs(target: Range, host: Range | undefined, rest: Partial<Port>): readonly Port[] | string {
  const base = { mode: 'ingress', ...rest };
  const count = target.last - target.first + 1;
  if (count === 1) {
    return [{ ...base, target: target.first, ...(host !== undefined && { published: rangeText(host) }) }];
  }
  if (host !== undefined && host.last - host.first + 1 !== count) {
    return `the ranges ${rangeText(host)} and ${rangeText(target)} differ in length`;
  }
  return Array.from({ length: count }, (_, index) => ({
    ...base,
    target: target.first + index,
    ...(host !== undefined && { published: String(host.first + index) }),
  }));
}

function parseRange(spec: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(spec);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= 65_535 ? { first, last } : undefined;
}

function rangeText({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function isAddress(host: string): boolean {
  const v4 = /^(?:\d{1,3}\.){3}\d{1,3}$/.test(host) && host.split('.').every((part) => Number(part) <= 255);
  return v4 || (host.includes(':') && /^[\da-fA-F:.]+(?:%[\w.]+)?$/.test(host));
}

const published: Kind<string> = {
  expects: 'a port or a range of ports',
  read(node, path, env) {
    const value = text.read(node, path, env) ?? '';
    if (value === '') return undefined;
    if (parseRange(value) === undefined) throw invalid(node, path, `invalid host port "${value}"`, FIX);
    return value;
  },
};

const longPort = object<Port>({
  name: string,
  mode: string,
  host_ip: string,
  target: required(integer({ min: 1, max: 65_535 })),
  published,
  protocol: string,
  app_protocol: string,
});

const portEntry: Kind<readonly Port[]> = {
  expects: 'a port',
  read(node, path, env) {
    if (node.kind === 'map') return [{ mode: 'ingress', protocol: 'tcp', ...longPort.read(node, path, env) } as Port];
    if (!isShort(node)) throw expected(node, path, 'a port such as "8080:80", or a mapping with "target"');
    const ports = parsePort(textOf(node));
    if (typeof ports === 'string') throw invalid(node, path, ports, FIX);
    return ports;
  },
};

function isShort(node: Node): node is Extract<Node, { kind: 'scalar' }> {
  return node.kind === 'scalar' && (node.type === 'string' || node.type === 'int');
}

/** `ports`: short and long entries, ranges expanded; the same port again replaces the earlier one. */
export const ports: Kind<readonly Port[]> = {
  expects: 'a list of ports',
  read(node, path, env) {
    const all = (list(portEntry).read(node, path, env) ?? []).flat();
    const key = (port: Port) => `${port.host_ip ?? '0.0.0.0'}|${port.published ?? ''}|${port.target}|${port.protocol}`;
    return [...new Map(all.map((port) => [key(port), port])).values()];
  },
};
