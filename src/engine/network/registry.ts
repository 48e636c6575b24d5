import { newId } from '../../lib/id.ts';
import { allocateEndpoint, reconcileViews } from './allocation.ts';
import type { State } from './desired.ts';
import { bridgesOf } from './desired.ts';
import * as errors from './errors.ts';
import { parseAddress, parseCidr } from './ipv4.ts';
import type { HostNetwork } from './machine.ts';
import { readIfThere } from './machine.ts';
import type { TakenSubnet } from './network-plan.ts';
import { collide } from './ports.ts';
import type { EndpointRow, NetworkRow, Records, SandboxRow } from './records.ts';
import { bridgeOf } from './render-links.ts';
import { parseResolvConf } from './render-names.ts';
import type { EndpointRequest, PortBinding, SandboxRequest } from './types.ts';

/** The records with their rules: look-ups that explain themselves, and changes that are one transaction each. */
export class Registry {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Docker's three networks that are always there. */
  addPredefined(): void {
    const known = new Set(this.networks().map((network) => network.name));
    for (const name of ['bridge', 'host', 'none'] as const)
      if (!known.has(name)) this.#records.addNetwork(predefinedNetwork(name));
  }

  state(): State {
    return {
      networks: this.#records.networks(),
      sandboxes: this.#records.sandboxes(),
      views: this.#records.views(),
      hostResolvConf: parseResolvConf(readIfThere('/etc/resolv.conf') ?? ''),
    };
  }

  networks(): readonly NetworkRow[] {
    return this.#records.networks();
  }

  findNetwork(nameOrId: string): NetworkRow | undefined {
    const rows = this.networks();
    const exact = rows.find((row) => row.id === nameOrId) ?? rows.find((row) => row.name === nameOrId);
    if (exact !== undefined || nameOrId === '') return exact;
    const matches = rows.filter((row) => row.id.startsWith(nameOrId));
    if (matches.length > 1) throw errors.networkAmbiguous(nameOrId);
    return matches[0];
  }

  network(nameOrId: string): NetworkRow {
    const row = this.findNetwork(nameOrId);
    if (row === undefined) throw errors.networkNotFound(nameOrId);
    return row;
  }

  /** A network that a container can have an endpoint on. */
  bridgeNetwork(nameOrId: string): NetworkRow {
    const row = this.network(nameOrId);
    if (row.driver === 'bridge') return row;
    throw errors.networkInvalid(
      `container cannot be connected to the network ${row.name} together with others`,
      `Use the network mode "${row.name}" by itself, or bridge networks.`,
    );
  }

  addNetwork(row: NetworkRow): void {
    if (this.networks().some((network) => network.name === row.name)) throw errors.networkNameTaken(row.name);
    this.#records.addNetwork(row);
  }

  placeNetwork(id: string, place: { subnet: string; gateway: string; mtu: number }): NetworkRow {
    this.#records.placeNetwork({ id, ...place });
    return this.network(id);
  }

  removeNetwork(id: string): void {
    this.#records.removeNetwork(id);
  }

  sandboxes(): readonly SandboxRow[] {
    return this.#records.sandboxes();
  }

  findSandbox(id: string): SandboxRow | undefined {
    return this.#records.sandbox(id);
  }

  sandbox(id: string): SandboxRow {
    const row = this.findSandbox(id);
    if (row === undefined) throw errors.sandboxNotFound(id);
    return row;
  }

  sandboxesOn(networkId: string): readonly SandboxRow[] {
    return this.sandboxes().filter((sandbox) => sandbox.endpoints.some((row) => row.networkId === networkId));
  }

  addSandbox(request: SandboxRequest, ports: readonly PortBinding[]): SandboxRow {
    const {
      sandboxId: id,
      hostname,
      domainname = '',
      dns = [],
      dnsSearch = [],
      dnsOptions = [],
      extraHosts = [],
    } = request;
    for (const server of dns) checkServer(server);
    const settings = { hostname, domainname, dns, dnsSearch, dnsOptions, extraHosts };
    return this.#records.together(() => {
      this.#records.addSandbox({ id, name: request.name ?? hostname, settings, endpoints: [], ports });
      for (const endpoint of request.endpoints) this.#insertEndpoint(id, endpoint);
      reconcileViews(this.#records, this.state());
      return this.sandbox(id);
    });
  }

  removeSandbox(id: string): void {
    this.#records.together(() => {
      this.#records.removeSandbox(id);
      reconcileViews(this.#records, this.state());
    });
  }

  renameSandbox(id: string, name: string): void {
    this.#records.renameSandbox(id, name);
  }

  addEndpoint(sandboxId: string, request: EndpointRequest): EndpointRow {
    return this.#records.together(() => {
      const row = this.#insertEndpoint(sandboxId, request);
      reconcileViews(this.#records, this.state());
      return row;
    });
  }

  removeEndpoint(endpointId: string): void {
    this.#records.together(() => {
      this.#records.removeEndpoint(endpointId);
      reconcileViews(this.#records, this.state());
    });
  }

  /** Who has a host port already, for the message. */
  holderOf(wanted: PortBinding): string | undefined {
    const holder = this.sandboxes().find((sandbox) => sandbox.ports.some((port) => collide(port, wanted)));
    return holder === undefined ? undefined : `container ${holder.name}`;
  }

  /** Subnets that a new network must keep clear of: ours, and those of the machine's interfaces and routes. */
  takenSubnets(host: HostNetwork): readonly TakenSubnet[] {
    const ours = bridgesOf(this.state()).flatMap((network) => {
      const parsed = parseCidr(network.subnet);
      return parsed === undefined ? [] : [{ subnet: parsed.subnet, owner: `network ${network.name}` }];
    });
    return [...ours, ...host.subnets.map(({ subnet, device }) => ({ subnet, owner: device }))];
  }

  #insertEndpoint(sandboxId: string, request: EndpointRequest): EndpointRow {
    const sandbox = this.sandbox(sandboxId);
    const network = this.bridgeNetwork(request.network);
    if (sandbox.endpoints.some((endpoint) => endpoint.networkId === network.id))
      throw errors.alreadyConnected(sandbox.name, network.name);
    const position = sandbox.endpoints.reduce((next, endpoint) => Math.max(next, endpoint.position + 1), 0);
    const row = allocateEndpoint(this.#records, { state: this.state(), network, request, sandboxId, position });
    this.#records.addEndpoint(row);
    return row;
  }
}

/** It becomes part of a command line. */
function checkServer(server: string): void {
  if (parseAddress(server) !== undefined || /^[0-9a-f:]*:[0-9a-f:.]*$/i.test(server)) return;
  throw errors.networkInvalid(`invalid DNS server: ${server}`, 'Give the IP address of a name server.');
}

function predefinedNetwork(name: 'bridge' | 'host' | 'none'): NetworkRow {
  const id = newId();
  return {
    id,
    name,
    driver: name,
    subnet: '',
    gateway: '',
    ipRange: '',
    internal: false,
    attachable: false,
    predefined: true,
    labels: {},
    options: {},
    bridge: name === 'bridge' ? bridgeOf(id) : '',
    mtu: 1500,
    createdAt: new Date(),
  };
}
