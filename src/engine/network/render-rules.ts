/**
 * The machine's packet rules of one daemon, as text for `nft -f`. The chains never change; what changes are elements of
 * sets and maps. A change of state is the difference between two models.
 */
export interface RulesModel {
  readonly networks: readonly RulesNetwork[];
  readonly views: readonly RulesView[];
  readonly ports: readonly RulesPort[];
}

interface RulesNetwork {
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Its containers may ask the machine's metadata service. */
  readonly opensMetadata: boolean;
}

/** A resolver for containers on several networks: only they may ask it. */
interface RulesView {
  readonly address: string;
  readonly guests: readonly string[];
}

export interface RulesPort {
  readonly protocol: 'tcp' | 'udp';
  /** `0.0.0.0` for every address. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly address: string;
  readonly containerPort: number;
}

const ANY = '0.0.0.0';

/**
 * Where clouds answer a machine's questions about itself, credentials among them: nearly all of them, containers of
 * Amazon ECS, pods of EKS, Alibaba. Some are name servers as well, so port 53 stays open.
 */
const METADATA_ADDRESSES = '169.254.169.254, 169.254.170.2, 169.254.170.23, 100.100.100.200';

/**
 * Chains and empty sets. A transaction: what was in the table before is gone, and there is no moment without rules.
 * `loopback_guard`: route_localnet opens 127/8 of this machine to containers; it closes it again.
 */
function renderTable(table: string): string {
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set metadata_open { type ifname; }
  set same_bridge { type ifname . ifname; }
  set masqueraded { type ipv4_addr; flags interval; }
  set hairpins { type ipv4_addr . ipv4_addr; flags interval; }
  set resolvers { type ipv4_addr; }
  set resolver_doors { type ifname . ipv4_addr; }
  set resolver_guests { type ipv4_addr . ipv4_addr; }
  map tcp_any { type inet_service : ipv4_addr . inet_service; }
  map udp_any { type inet_service : ipv4_addr . inet_service; }
  map tcp_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
  map udp_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }

  chain metadata_door {
    iifname @metadata_open accept
    meta l4proto { tcp, udp } th dport 53 accept
    drop
  }
  chain loopback_guard {
    type filter hook prerouting priority -300; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip daddr { ${METADATA_ADDRESSES} } jump metadata_door
  }
  chain resolver_guard {
    type filter hook input priority 0; policy accept;
    ip daddr @resolvers th dport 53 iifname != "lo" jump resolver_door
  }
  chain resolver_door {
    iifname . ip daddr @resolver_doors accept
    ip saddr . ip daddr @resolver_guests accept
    drop
  }
  chain isolation {
    type filter hook forward priority 0; policy accept;
    iifname . oifname @same_bridge accept
    iifname @internal drop
    oifname @internal drop
    ct state established,related accept
    oifname @bridges ct status dnat accept
    oifname @bridges drop
  }
  chain published {
    dnat ip to ip daddr . tcp dport map @tcp_at
    dnat ip to tcp dport map @tcp_any
    dnat ip to ip daddr . udp dport map @udp_at
    dnat ip to udp dport map @udp_any
  }
  chain from_outside {
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump published
  }
  chain from_this_machine {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump published
  }
  chain to_outside {
    type nat hook postrouting priority 100; policy accept;
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ct status dnat ip saddr . ip daddr @hairpins masquerade
    ip saddr @masqueraded oifname != @bridges masquerade
  }
}
`;
}

/** Everything anew, in one transaction. */
export function renderRules(table: string, model: RulesModel): string {
  return renderTable(table) + renderDifference(table, { networks: [], views: [], ports: [] }, model);
}

/** What brings the elements of one model to those of another; empty when they are alike. Deletions come first. */
export function renderDifference(table: string, from: RulesModel, to: RulesModel): string {
  const before = elementsOf(from);
  const after = elementsOf(to);
  return [
    ...statements({ verb: 'delete', table, elements: minus(before, after) }),
    ...statements({ verb: 'add', table, elements: minus(after, before) }),
  ].join('');
}

/** Removes the table, whether it is there or not. */
export function renderRemoval(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

function elementsOf(model: RulesModel): readonly string[] {
  return [
    ...model.networks.flatMap(elementsOfNetwork),
    ...model.views.flatMap(({ address, guests }) => [
      `resolvers { ${address} }`,
      ...guests.map((guest) => `resolver_guests { ${guest} . ${address} }`),
    ]),
    ...model.ports.map(elementOfPort),
  ];
}

function elementsOfNetwork(network: RulesNetwork): readonly string[] {
  const { bridge, subnet, gateway } = network;
  return [
    `bridges { "${bridge}" }`,
    `same_bridge { "${bridge}" . "${bridge}" }`,
    `hairpins { ${subnet} . ${subnet} }`,
    `resolvers { ${gateway} }`,
    `resolver_doors { "${bridge}" . ${gateway} }`,
    ...(network.opensMetadata ? [`metadata_open { "${bridge}" }`] : []),
    ...(network.internal ? [`internal { "${bridge}" }`] : []),
    ...(network.masquerade && !network.internal ? [`masqueraded { ${subnet} }`] : []),
  ];
}

function elementOfPort(port: RulesPort): string {
  const target = `${port.address} . ${port.containerPort}`;
  if (port.hostAddress === ANY) return `${port.protocol}_any { ${port.hostPort} : ${target} }`;
  return `${port.protocol}_at { ${port.hostAddress} . ${port.hostPort} : ${target} }`;
}

function minus(elements: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return elements.filter((element) => !known.has(element));
}

function statements(o: { verb: 'add' | 'delete'; table: string; elements: readonly string[] }): readonly string[] {
  return o.elements.map((element) => `${o.verb} element ip ${o.table} ${element}\n`);
}
