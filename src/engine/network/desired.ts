import { shortId } from '../../lib/id.ts';
import { renderLocalNames, renderNetworkHosts } from './render-names.ts';
import type { NamedEndpoint, ResolvConf } from './render-names.ts';
import type { RulesModel, RulesPort } from './render-rules.ts';
import { chooseResolver } from './resolver-plan.ts';
import type { ResolverChoice, Upstream } from './resolver-plan.ts';
import type { EndpointRow, NetworkRow, SandboxRow, ViewRow } from './records.ts';

/** All that the records say; what the machine ought to look like follows from it. */
export interface State {
  readonly networks: readonly NetworkRow[];
  readonly sandboxes: readonly SandboxRow[];
  readonly views: readonly ViewRow[];
  /** What the host's /etc/resolv.conf says. */
  readonly hostResolvConf: ResolvConf;
}

export function bridgesOf(state: State): readonly NetworkRow[] {
  return state.networks.filter((network) => network.driver === 'bridge' && network.subnet !== '');
}

export function choiceOf(state: State, sandbox: SandboxRow): ResolverChoice {
  const attached = sandbox.endpoints.map((endpoint) => {
    const network = networkOf(state, endpoint.networkId);
    return { id: network.id, internal: network.internal, hasNames: !network.predefined };
  });
  return chooseResolver(attached, sandbox.settings.dns, reachableServers(state.hostResolvConf));
}

/** The endpoint that has the way to the outside: the first whose network is not internal. */
export function outwardEndpointOf(state: State, sandbox: SandboxRow): EndpointRow | undefined {
  return sandbox.endpoints.find((endpoint) => !networkOf(state, endpoint.networkId).internal);
}

/** Views that some container needs, by key. */
export function neededViewsOf(state: State): ReadonlyMap<string, Extract<ResolverChoice, { kind: 'view' }>> {
  const choices = state.sandboxes.map((sandbox) => choiceOf(state, sandbox));
  return new Map(choices.flatMap((choice) => (choice.kind === 'view' ? [[choice.key, choice] as const] : [])));
}

export function desiredRules(state: State): RulesModel {
  return {
    networks: bridgesOf(state).map((network) => ({
      bridge: network.bridge,
      subnet: network.subnet,
      gateway: network.gateway,
      internal: network.internal,
      opensMetadata: network.options['bascule.metadata'] === 'allow',
      masquerade: network.options['com.docker.network.bridge.enable_ip_masquerade'] !== 'false',
    })),
    views: state.views.map((view) => ({ address: view.address, guests: guestsOf(state, view.key) })),
    ports: state.sandboxes.flatMap((sandbox) => portsOf(state, sandbox)),
  };
}

/** Files of the name service, by name, and the resolvers that read them. */
export interface DesiredNames {
  readonly files: ReadonlyMap<string, string>;
  readonly resolvers: readonly DesiredResolver[];
}

export interface DesiredResolver {
  readonly key: string;
  readonly address: string;
  readonly upstream: Upstream;
  readonly hostsFiles: readonly string[];
  readonly localNamesFile: string;
}

/** `isRunning`: a network's own resolver goes on while its network exists, even when nobody needs it for a moment. */
export function desiredNames(state: State, isRunning: (key: string) => boolean): DesiredNames {
  const resolvers = [...networkResolvers(state, isRunning), ...viewResolvers(state)];
  const files = new Map<string, string>();
  for (const resolver of resolvers) {
    for (const id of resolver.networkIds) files.set(hostsFileOf(id), renderNetworkHosts(namedEndpoints(state, id)));
    const named = resolver.networkIds.flatMap((id) => namedEndpoints(state, id));
    files.set(localNamesFileOf(resolver.key), renderLocalNames(named));
  }
  return {
    files,
    resolvers: resolvers.map(({ key, address, upstream, networkIds }) => {
      return { key, address, upstream, hostsFiles: networkIds.map(hostsFileOf), localNamesFile: localNamesFileOf(key) };
    }),
  };
}

interface ResolverOfNetworks {
  readonly key: string;
  readonly address: string;
  readonly upstream: Upstream;
  readonly networkIds: readonly string[];
}

function networkResolvers(state: State, isRunning: (key: string) => boolean): readonly ResolverOfNetworks[] {
  const choices = state.sandboxes.map((sandbox) => choiceOf(state, sandbox));
  const needed = new Set(choices.flatMap((choice) => (choice.kind === 'network' ? [choice.networkId] : [])));
  return bridgesOf(state).flatMap((network) => {
    const key = shortId(network.id);
    if (!needed.has(network.id) && !isRunning(key)) return [];
    const upstream: Upstream = { kind: network.internal ? 'none' : 'host' };
    return [{ key, address: network.gateway, upstream, networkIds: network.predefined ? [] : [network.id] }];
  });
}

function viewResolvers(state: State): readonly ResolverOfNetworks[] {
  const needed = neededViewsOf(state);
  return state.views.flatMap(({ key, address }) => {
    const choice = needed.get(key);
    return choice === undefined ? [] : [{ key, address, upstream: choice.upstream, networkIds: choice.networkIds }];
  });
}

function namedEndpoints(state: State, networkId: string): readonly NamedEndpoint[] {
  return state.sandboxes.flatMap((sandbox) =>
    sandbox.endpoints
      .filter((endpoint) => endpoint.networkId === networkId)
      .map((endpoint) => ({
        sandboxId: sandbox.id,
        name: sandbox.name,
        hostname: sandbox.settings.hostname,
        aliases: endpoint.aliases,
        address: endpoint.address,
      })),
  );
}

function guestsOf(state: State, key: string): readonly string[] {
  return state.sandboxes.flatMap((sandbox) => {
    const choice = choiceOf(state, sandbox);
    if (choice.kind !== 'view' || choice.key !== key) return [];
    return sandbox.endpoints.filter((row) => row.networkId === choice.homeNetworkId).map((row) => row.address);
  });
}

function portsOf(state: State, sandbox: SandboxRow): readonly RulesPort[] {
  const target = outwardEndpointOf(state, sandbox);
  return target === undefined ? [] : sandbox.ports.map((port) => ({ ...port, address: target.address }));
}

export function networkOf(state: State, id: string): NetworkRow {
  const network = state.networks.find((row) => row.id === id);
  if (network === undefined) throw new Error(`an endpoint of a network that has no record: ${id}`);
  return network;
}

function reachableServers(host: ResolvConf): readonly string[] {
  return host.servers.filter((server) => !server.startsWith('127.') && !server.includes(':'));
}

function hostsFileOf(networkId: string): string {
  return `${shortId(networkId)}.hosts`;
}

function localNamesFileOf(key: string): string {
  return `${key}.local`;
}
