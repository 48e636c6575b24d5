import { type Doors, doorOf, IPV6_SLOTS, type RecordedPort, slotPort } from '../ports.ts';
import type { PortKey, RouteId, TcpTarget } from '../traffic.ts';

export interface NftState extends Doors {
  /** `bascule_traffic`, or `bascule_traffic_<suffix>`. */
  readonly table: string;
  readonly ports: readonly RecordedPort[];
  readonly tcpRoutes: ReadonlyMap<RouteId, readonly TcpTarget[]>;
  /** Interfaces that lead to targets of TCP routes. */
  readonly targetInterfaces: readonly string[];
}

/** Marks connections to TCP services, for those who filter forwarded packets ("basc"). */
export const CONNECTION_MARK = 0x62617363;

/**
 * The whole table as one transaction. Chains are emptied and filled again instead of being replaced, so that the
 * kernel's NAT hooks stay; connections that stand keep the target that they have.
 */
export function renderTraffic(state: NftState): string {
  const { table } = state;
  // A port that several routes share by host and path is redirected once.
  const ports = [...new Map(state.ports.map((port) => [keyOf(port), port])).values()];
  const publish = ports.flatMap((port) => renderPort(state, port));
  return [
    `add table inet ${table}`,
    ...SETS.flatMap((set) => [`add set inet ${table} ${set} { type inet_service; }`, `flush set inet ${table} ${set}`]),
    ...ports.map((port) => `add element inet ${table} ${port.protocol}_ports { ${port.port} }`),
    ...CHAINS.flatMap(([name, hook]) => [
      `add chain inet ${table} ${name} ${hook}`,
      `flush chain inet ${table} ${name}`,
    ]),
    `add rule inet ${table} prerouting jump publish`,
    `add rule inet ${table} output jump publish`,
    ...renderDoors(state).map((rule) => `add rule inet ${table} doors ${rule}`),
    ...publish.map((rule) => `add rule inet ${table} publish ${rule}`),
    ...renderMasquerade(state).map((rule) => `add rule inet ${table} postrouting ${rule}`),
    ...state.targetInterfaces.map((name) => `add rule inet ${table} guard iifname "${name}" ip daddr 127.0.0.0/8 drop`),
    '',
  ].join('\n');
}

export function renderRemoval(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

/** The published ports by kind, for other daemons on this machine to read. */
const SETS = ['http_ports', 'tcp_ports', 'udp_ports'] as const;

/**
 * Just before the usual place of destination NAT (-100), where Docker's rules are, and of source NAT (100). `guard`
 * comes before connection tracking: an interface that may carry packets from 127.0.0.1 must not bring any to it.
 * `doors` comes before the filters of others; what it accepts they may still drop.
 */
const CHAINS: readonly (readonly [string, string])[] = [
  ['publish', ''],
  ['prerouting', '{ type nat hook prerouting priority -105; policy accept; }'],
  ['output', '{ type nat hook output priority -105; policy accept; }'],
  ['postrouting', '{ type nat hook postrouting priority 95; policy accept; }'],
  ['guard', '{ type filter hook prerouting priority -310; policy accept; }'],
  ['doors', '{ type filter hook input priority -5; policy accept; }'],
];

/**
 * The proxy's own ports are for connections that were redirected to them: whoever closes a published port before the
 * redirect has closed it. Connections of this machine to itself stay as they are.
 */
function renderDoors({ httpPort, tlsPort }: Doors): readonly string[] {
  const rows = [httpPort, tlsPort].map((door) => `${door}-${slotPort(door, IPV6_SLOTS - 1)}`);
  return ['iifname "lo" accept', 'ct status dnat accept', `tcp dport { ${rows.join(', ')} } drop`];
}

function renderPort(state: NftState, port: RecordedPort): readonly string[] {
  const where = renderWhere(port);
  if (port.protocol === 'http') return renderRedirects(state, port);
  const targets = state.tcpRoutes.get(port.route) ?? [];
  if (targets.length === 0) return [];
  const match = `meta nfproto ipv4 ${where} ${port.protocol} dport ${port.port}`;
  return [`${match} ct mark set ${CONNECTION_MARK}`, `${match} dnat ip ${renderTargets(targets)}`];
}

function keyOf({ protocol, port, hostAddress }: PortKey): string {
  return `${protocol} ${hostAddress ?? ''} ${port}`;
}

function renderRedirects(state: NftState, port: RecordedPort): readonly string[] {
  const door = doorOf(state, port);
  const match = `${renderWhere(port)} tcp dport ${port.port}`;
  const ipv6 = `meta nfproto ipv6 ${match} redirect to :${slotPort(door, port.slot ?? 0)}`;
  return [`meta nfproto ipv4 ${match} redirect to :${door}`, ...(port.slot === undefined ? [] : [ipv6])];
}

function renderWhere({ hostAddress }: PortKey): string {
  if (hostAddress === undefined) return 'fib daddr type local';
  return `ip daddr ${hostAddress}`;
}

/** New connections take turns; with weights each is a throw of dice, so that a small share comes in no bursts. */
function renderTargets(targets: readonly TcpTarget[]): string {
  const used = targets.filter(({ weight }) => weight !== 0);
  const [first] = used;
  if (used.length === 1 && first !== undefined) return `to ${first.address}:${first.port}`;
  if (first?.weight === undefined) {
    const entries = used.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
    return `addr . port to numgen inc mod ${used.length} map { ${entries.join(', ')} }`;
  }
  let start = 0;
  const entries = used.map(({ address, port, weight = 0 }) => {
    const range = `${start}-${(start += weight) - 1}`;
    return `${range} : ${address} . ${port}`;
  });
  return `addr . port to numgen random mod ${start} map { ${entries.join(', ')} }`;
}

/** Answers must come back through us: to this machine's loopback, and to a neighbour of the target itself. */
function renderMasquerade({ targetInterfaces }: NftState): readonly string[] {
  return targetInterfaces.flatMap((name) => [
    `ip saddr 127.0.0.0/8 oifname "${name}" ct status dnat masquerade`,
    `iifname "${name}" oifname "${name}" ct status dnat ct mark ${CONNECTION_MARK} masquerade`,
  ]);
}
