import type { Endpoint, EndpointRequest, NetworkRecord, PortBinding } from '../network/index.ts';
import type { Container } from '../runtime/index.ts';
import { speaksAtLeast } from './versions.ts';

interface NetworkLookup {
  readonly apiVersion: string;
  /** Lists leave names and aliases out. */
  readonly isList?: boolean;
  findNetwork(nameOrId: string): NetworkRecord | undefined;
}

/** `NetworkSettings` of a container (API 1.51); the flat fields are those of the default bridge. */
export function networkSettingsOf(container: Container, lookup: NetworkLookup): object {
  const { sandbox } = container;
  const onBridge = sandbox?.endpoints.find((endpoint) => endpoint.networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: sandbox?.id ?? '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    Ports: portMapOf(container),
    SandboxKey: sandbox?.namespacePath ?? '',
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onBridge?.endpointId ?? '',
    Gateway: onBridge?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: onBridge?.address ?? '',
    IPPrefixLen: onBridge?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: onBridge?.macAddress ?? '',
    Networks: networksOf(container, lookup),
  };
}

/** `NetworkSettings.Networks`: live endpoints, or what the next start connects. */
export function networksOf(container: Container, lookup: NetworkLookup): Record<string, object> {
  const { spec, sandbox } = container;
  const { network } = spec;
  if (network.mode === 'none' || network.mode === 'host') {
    return { [network.mode]: endpointShape({ networkId: lookup.findNetwork(network.mode)?.id ?? '' }) };
  }
  if (network.mode === 'container') return {};
  const requests = new Map(network.endpoints.map((request) => [lookup.findNetwork(request.network)?.id, request]));
  if (sandbox !== undefined) {
    return Object.fromEntries(
      sandbox.endpoints.map((endpoint) => [
        endpoint.networkName,
        liveEndpoint(container, lookup, { endpoint, request: requests.get(endpoint.networkId) }),
      ]),
    );
  }
  return Object.fromEntries(
    network.endpoints.map((request) => [
      lookup.findNetwork(request.network)?.name ?? request.network,
      endpointShape({
        networkId: lookup.findNetwork(request.network)?.id ?? '',
        request,
        ...namesOf(container, lookup, { network: request.network, aliases: request.aliases ?? [] }),
      }),
    ]),
  );
}

function liveEndpoint(
  container: Container,
  lookup: NetworkLookup,
  { endpoint, request }: { readonly endpoint: Endpoint; readonly request: EndpointRequest | undefined },
): object {
  return endpointShape({
    networkId: endpoint.networkId,
    endpoint,
    ...(request === undefined ? {} : { request }),
    ...namesOf(container, lookup, { network: endpoint.networkName, aliases: endpoint.aliases }),
  });
}

/** On user-defined networks. Before API 1.45 the short id was among the aliases; what is asked for is `DNSNames` since. */
function namesOf(
  container: Container,
  { apiVersion, isList }: NetworkLookup,
  o: { readonly network: string; readonly aliases: readonly string[] },
): Pick<EndpointParts, 'aliases' | 'names'> {
  if (o.network === 'bridge' || isList === true) return { aliases: null, names: null };
  const short = container.id.slice(0, 12);
  const given = o.aliases.filter((alias) => alias !== short);
  const { hostname, name } = container.spec;
  const wasUp = container.state.startedAt !== undefined || container.sandbox !== undefined;
  const names = wasUp ? [...new Set([name, ...given, short, ...(hostname === '' ? [] : [hostname])])] : null;
  if (!speaksAtLeast({ apiVersion }, '1.45')) return { aliases: [...given, short], names };
  return { aliases: given.length > 0 ? given : null, names };
}

interface EndpointParts {
  readonly networkId: string;
  readonly endpoint?: Endpoint;
  readonly request?: EndpointRequest;
  readonly aliases?: readonly string[] | null;
  /** By which the name server knows it. */
  readonly names?: readonly string[] | null;
}

/** EndpointSettings (API 1.51). */
function endpointShape({ networkId, endpoint, request, aliases, names }: EndpointParts): object {
  return {
    IPAMConfig: request?.ipv4Address === undefined ? null : { IPv4Address: request.ipv4Address },
    Links: null,
    Aliases: aliases ?? null,
    NetworkID: networkId,
    EndpointID: endpoint?.endpointId ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    MacAddress: endpoint?.macAddress ?? '',
    DriverOpts: null,
    GwPriority: 0,
    DNSNames: names ?? null,
  };
}

/** `Ports` of `docker inspect`: bindings by container port, null for a port that is exposed only. */
function portMapOf(container: Container): Record<string, readonly object[] | null> {
  const { sandbox } = container;
  if (sandbox === undefined) return {};
  const ports: Record<string, object[] | null> = {};
  for (const binding of sandbox.ports) {
    const key = `${binding.containerPort}/${binding.protocol}`;
    (ports[key] ??= []).push({ HostIp: addressOf(binding), HostPort: String(binding.hostPort) });
  }
  for (const port of exposedOf(container)) ports[port] ??= null;
  return ports;
}

/** `Ports` of `docker ps`. */
export function listedPorts(container: Container): readonly object[] {
  const { sandbox, state } = container;
  const isUp = state.status === 'running' || state.status === 'paused' || state.status === 'restarting';
  if (!isUp) return [];
  const published = (sandbox?.ports ?? []).map((binding) => ({
    IP: addressOf(binding),
    PrivatePort: binding.containerPort,
    PublicPort: binding.hostPort,
    Type: binding.protocol,
  }));
  const bound = new Set((sandbox?.ports ?? []).map((binding) => `${binding.containerPort}/${binding.protocol}`));
  const others = exposedOf(container).filter((port) => !bound.has(port));
  return [...published, ...others.map(exposedPort)];
}

function exposedPort(port: string): object {
  const [number = '', protocol = 'tcp'] = port.split('/');
  return { PrivatePort: Number(number), Type: protocol };
}

function addressOf(binding: PortBinding): string {
  return binding.hostAddress === '' ? '0.0.0.0' : binding.hostAddress;
}

function exposedOf({ spec }: Container): readonly string[] {
  const { ExposedPorts } = spec.docker.Config as { ExposedPorts?: Record<string, unknown> };
  return Object.keys(ExposedPorts ?? {});
}
