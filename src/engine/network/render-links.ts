import { macOf, parseAddress } from './ipv4.ts';

/** Statements for `ip -batch`, one a line. Each batch is one process. */
export interface LinkEndpoint {
  readonly endpointId: string;
  readonly interfaceName: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly macAddress: string;
  readonly mtu: number;
  /** Index of the bridge device in the host's namespace. */
  readonly bridgeIndex: number;
}

/** The host's end of an endpoint: 15 bytes, the longest name that Linux takes. */
export function hostLinkOf(endpointId: string): string {
  return `bsv${endpointId.slice(0, 12)}`;
}

/** Name of a network's bridge device. */
export function bridgeOf(networkId: string): string {
  return `bsc-${networkId.slice(0, 8)}`;
}

/** A bridge with its address. Its own MAC is fixed, else it would change with the first container. */
export function renderBridge(o: {
  readonly bridge: string;
  readonly gateway: string;
  readonly prefixLength: number;
  readonly mtu: number;
}): string {
  const mac = macOf(parseAddress(o.gateway) ?? 0);
  return lines(
    `link add ${o.bridge} mtu ${o.mtu} address ${mac} type bridge`,
    `link set ${o.bridge} addrgenmode none`,
    `addr add ${o.gateway}/${o.prefixLength} brd + dev ${o.bridge}`,
    `link set ${o.bridge} up`,
  );
}

/** For a batch inside a fresh namespace. */
export function renderLoopback(): string {
  return lines('link set lo up');
}

/**
 * For a batch inside the sandbox: the host's end is made in the host's namespace and put under its bridge, which is
 * told by index because its name is unknown inside. No link-local IPv6: networks have none.
 */
export function renderEndpoint(endpoint: LinkEndpoint, hostNamespace: string): string {
  const { interfaceName, mtu } = endpoint;
  return lines(
    `link add netns ${hostNamespace} name ${hostLinkOf(endpoint.endpointId)} mtu ${mtu} ` +
      `master if${endpoint.bridgeIndex} up ` +
      `type veth peer name ${interfaceName} mtu ${mtu} address ${endpoint.macAddress}`,
    `link set ${interfaceName} addrgenmode none`,
    `addr add ${endpoint.address}/${endpoint.prefixLength} brd + dev ${interfaceName}`,
    `link set ${interfaceName} up`,
  );
}

export function renderDefaultRoute(route: { readonly gateway: string; readonly interfaceName: string }): string {
  return lines(`route replace default via ${route.gateway} dev ${route.interfaceName}`);
}

export function renderLinkRemoval(name: string): string {
  return lines(`link del ${name}`);
}

function lines(...statements: readonly string[]): string {
  return statements.map((statement) => `${statement}\n`).join('');
}

/** Extra addresses of bridges for resolver views; each entry is `address bridge`. */
export function renderViewAddresses(verb: 'replace' | 'del', entries: readonly string[]): string {
  return entries
    .map((entry) => entry.split(' '))
    .map(([address, bridge]) => `addr ${verb} ${address}/32 dev ${bridge}\n`)
    .join('');
}
