import { alreadyConnected, notConnected, type Endpoint, type EndpointRequest } from '../network/index.ts';
import type { NetworkSpec } from './container.ts';
import { exclusively, isUp, type Containers, type Entry } from './containers.ts';
import { invalidContainer } from './errors.ts';
import type { Host } from './host.ts';

/** Attaches a container to a network: now where it runs, and at every later start. */
export function connect(
  host: Host,
  o: { readonly containers: Containers; readonly entry: Entry; readonly request: EndpointRequest },
): Promise<Endpoint | undefined> {
  const { containers, entry, request } = o;
  return exclusively(entry, async () => {
    const network = networksOf(entry);
    const { id, name } = host.networks.get(request.network);
    if (!isUp(entry) && endpointOn(host, network, id) !== undefined) throw alreadyConnected(entry.spec.name, name);
    const endpoint = isUp(entry) ? await host.networks.connect(entry.id, request) : undefined;
    const endpoints = [...network.endpoints, request];
    containers.setSpec(entry, { ...entry.spec, network: { ...network, endpoints } });
    return endpoint;
  });
}

export function disconnect(
  host: Host,
  o: { readonly containers: Containers; readonly entry: Entry; readonly network: string },
): Promise<void> {
  const { containers, entry } = o;
  return exclusively(entry, async () => {
    const network = networksOf(entry);
    const { id, name } = host.networks.get(o.network);
    if (!isUp(entry) && endpointOn(host, network, id) === undefined) throw notConnected(entry.id, name);
    if (isUp(entry)) await host.networks.disconnect(entry.id, id);
    const endpoints = network.endpoints.filter((endpoint) => host.networks.find(endpoint.network)?.id !== id);
    containers.setSpec(entry, { ...entry.spec, network: { ...network, endpoints } });
  });
}

type Networked = Extract<NetworkSpec, { mode: 'networks' }>;

function endpointOn(host: Host, network: Networked, id: string): EndpointRequest | undefined {
  return network.endpoints.find((endpoint) => host.networks.find(endpoint.network)?.id === id);
}

function networksOf(entry: Entry): Networked {
  const { network } = entry.spec;
  if (network.mode === 'networks') return network;
  throw invalidContainer(
    `container sharing network namespace with another container or host cannot be connected to any other network`,
    `Make the container anew with a network of its own: now its network mode is ${network.mode}.`,
  );
}
