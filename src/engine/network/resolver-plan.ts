import { createHash } from 'node:crypto';

/** Where a resolver sends what it does not know: the host's own resolvers, nowhere, or the servers that a user named. */
export type Upstream =
  | { readonly kind: 'host' }
  | { readonly kind: 'none' }
  | { readonly kind: 'servers'; readonly servers: readonly string[] };

export interface AttachedNetwork {
  readonly id: string;
  readonly internal: boolean;
  /** The predefined `bridge` announces no names. */
  readonly hasNames: boolean;
}

/** Which resolver a container asks. */
export type ResolverChoice =
  /** None of ours: the servers that the user named, or the host's. */
  | { readonly kind: 'outside'; readonly servers: readonly string[] }
  /** That of its only network, at the gateway's address. */
  | { readonly kind: 'network'; readonly networkId: string; readonly upstream: Upstream }
  /** One of its own for a set of networks, at an extra address on the bridge of the first. */
  | {
      readonly kind: 'view';
      readonly key: string;
      readonly homeNetworkId: string;
      readonly networkIds: readonly string[];
      readonly upstream: Upstream;
    };

/**
 * Names of all the networks of a container and of no other; outside names unless all of its networks are internal.
 * Containers with the same set of networks (and the same first one) share a view.
 * `hostServers` are the host's resolvers that a container can reach.
 */
export function chooseResolver(
  attached: readonly AttachedNetwork[],
  dns: readonly string[],
  hostServers: readonly string[],
): ResolverChoice {
  const named = attached.filter((network) => network.hasNames);
  const home = named[0];
  if (home === undefined) return withoutNames(attached, dns.length > 0 ? dns : hostServers);
  const upstream = upstreamOf(attached, dns);
  if (named.length === 1 && sameUpstream(upstream, { kind: home.internal ? 'none' : 'host' }))
    return { kind: 'network', networkId: home.id, upstream };
  const networkIds = named.map((network) => network.id).sort();
  return {
    kind: 'view',
    key: viewKey({ home: home.id, networkIds, upstream }),
    homeNetworkId: home.id,
    networkIds,
    upstream,
  };
}

/** Resolvers of the host on a loopback address are out of a container's reach: then ours forwards to them. */
function withoutNames(attached: readonly AttachedNetwork[], servers: readonly string[]): ResolverChoice {
  const first = attached[0];
  if (servers.length > 0 || first === undefined) return { kind: 'outside', servers };
  return { kind: 'network', networkId: first.id, upstream: { kind: 'host' } };
}

function upstreamOf(attached: readonly AttachedNetwork[], dns: readonly string[]): Upstream {
  if (attached.every((network) => network.internal)) return { kind: 'none' };
  return dns.length === 0 ? { kind: 'host' } : { kind: 'servers', servers: dns };
}

function sameUpstream(a: Upstream, b: Upstream): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function viewKey(parts: object): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}

/** The command line of a name server: it goes into the background by itself and lives on without us. */
export function renderResolverArgv(o: {
  readonly address: string;
  readonly pidFile: string;
  readonly hostsFiles: readonly string[];
  readonly localNamesFile: string;
  readonly upstream: Upstream;
}): [string, ...string[]] {
  return [
    'dnsmasq',
    '--conf-file=/dev/null',
    `--pid-file=${o.pidFile}`,
    '--user=nobody',
    '--bind-interfaces',
    `--listen-address=${o.address}`,
    '--no-hosts',
    ...o.hostsFiles.map((file) => `--addn-hosts=${file}`),
    '--domain-needed',
    '--cache-size=1000',
    '--dns-forward-max=1000',
    '--log-facility=/dev/null',
    ...upstreamOptions(o.upstream, o.localNamesFile),
  ];
}

function upstreamOptions(upstream: Upstream, localNamesFile: string): readonly string[] {
  switch (upstream.kind) {
    case 'none':
      return ['--no-resolv', '--local=/#/'];
    case 'host':
      return ['--resolv-file=/etc/resolv.conf', `--servers-file=${localNamesFile}`];
    case 'servers':
      return [
        '--no-resolv',
        `--servers-file=${localNamesFile}`,
        ...upstream.servers.map((server) => `--server=${server}`),
      ];
  }
}
