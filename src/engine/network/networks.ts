import { EventEmitter } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { newId } from '../../lib/id.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';
import type { Scope } from '../../lib/scope.ts';
import { allocateEndpoint, reconcileViews } from './allocation.ts';
import { checkMachine } from './check.ts';
import type { State } from './desired.ts';
import { bridgesOf, networkOf, outwardEndpointOf } from './desired.ts';
import * as errors from './errors.ts';
import { parseCidr } from './ipv4.ts';
import {
  allowHairpin,
  batchInNamespace,
  dropNamespace,
  makeDirectories,
  makeNamespace,
  observeHost,
  readIfThere,
} from './machine.ts';
import type { TakenSubnet } from './network-plan.ts';
import { choosePlan, planNetwork } from './network-plan.ts';
import { collide, PortClaims } from './ports.ts';
import type { EndpointRow, NetworkRow, Records, SandboxRow } from './records.ts';
import { openRecords } from './records.ts';
import {
  bridgeOf,
  hostLinkOf,
  renderDefaultRoute,
  renderEndpoint,
  renderLinkRemoval,
  renderLoopback,
} from './render-links.ts';
import { parseResolvConf } from './render-names.ts';
import { filesOf, removeSandboxFiles, writeSandboxFiles } from './sandbox-files.ts';
import type {
  Endpoint,
  EndpointRequest,
  NetworkCheck,
  NetworkEvent,
  NetworkRecord,
  NetworkRequest,
  Networks,
  PortBinding,
  Sandbox,
  SandboxRequest,
} from './types.ts';
import { Upkeep } from './upkeep.ts';

export interface NetworksOptions {
  readonly scope: Scope;
  /** `<root>/engine/networks`. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly log: Log;
}

const MEND_INTERVAL_MS = 5_000;

/** Opens the records of networks; the machine is touched by `adopt` and by what follows. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const networks = new LocalNetworks(options);
  await networks.prepare();
  return networks;
}

class LocalNetworks implements Networks {
  readonly #scope: Scope;
  readonly #log: Log;
  readonly #records: Records;
  readonly #upkeep: Upkeep;
  readonly #claims = new PortClaims();
  readonly #events = new EventEmitter<{ event: [NetworkEvent] }>();
  #queue: Promise<unknown> = Promise.resolve();
  /** Removals of links that nobody waits for, but `close`. */
  readonly #afterwork = new Set<Promise<unknown>>();
  #mending: NodeJS.Timeout | undefined;

  constructor(options: NetworksOptions) {
    this.#scope = options.scope;
    this.#log = options.log;
    this.#records = openRecords(options.database);
    this.#upkeep = new Upkeep(options.scope, options.log);
  }

  async prepare(): Promise<void> {
    const { runDirectory } = this.#scope;
    await makeDirectories(runDirectory, ...['netns', 'names', 'sandboxes'].map((name) => join(runDirectory, name)));
    const known = new Set(this.#records.networks().map((network) => network.name));
    for (const name of ['bridge', 'host', 'none'] as const)
      if (!known.has(name)) this.#records.addNetwork(predefinedNetwork(name));
    this.#mending = setInterval(() => this.#mend(), MEND_INTERVAL_MS).unref();
  }

  list(): readonly NetworkRecord[] {
    return this.#records.networks().map(toRecord);
  }

  find(nameOrId: string): NetworkRecord | undefined {
    const row = this.#row(nameOrId);
    return row === undefined ? undefined : toRecord(row);
  }

  get(nameOrId: string): NetworkRecord {
    return toRecord(this.#rowOrThrow(nameOrId));
  }

  create(request: NetworkRequest): Promise<NetworkRecord> {
    return this.#exclusive(async () => {
      if (this.#records.networks().some((network) => network.name === request.name))
        throw errors.networkNameTaken(request.name);
      const host = await observeHost();
      const taken = this.#taken(host.subnets);
      const world = { id: newId(), now: new Date(), mtu: host.mtu, taken, poolOffset: this.#poolOffset() };
      const row = planNetwork(request, world);
      this.#records.addNetwork(row);
      try {
        await this.#upkeep.ensureBridge(row);
        await this.#upkeep.apply(this.#state());
      } catch (error) {
        await this.#forget(row);
        throw error;
      }
      this.#emit({ kind: 'create', network: toRecord(row) });
      return toRecord(row);
    });
  }

  remove(nameOrId: string): Promise<void> {
    return this.#exclusive(() => this.#remove(this.#rowOrThrow(nameOrId)));
  }

  prune(filter: (network: NetworkRecord) => boolean = () => true): Promise<readonly NetworkRecord[]> {
    return this.#exclusive(async () => {
      const state = this.#state();
      const used = new Set(state.sandboxes.flatMap((sandbox) => sandbox.endpoints.map((row) => row.networkId)));
      const unused = state.networks.filter((row) => !row.predefined && !used.has(row.id) && filter(toRecord(row)));
      for (const row of unused) await this.#remove(row);
      return unused.map(toRecord);
    });
  }

  openSandbox(request: SandboxRequest): Promise<Sandbox> {
    return this.#exclusive(async () => {
      await this.#close(request.sandboxId);
      const networks = request.endpoints.map((endpoint) => this.#bridgeOrThrow(endpoint.network));
      const indexes = new Map<string, number>();
      for (const network of networks) indexes.set(network.id, await this.#bridgeIndex(network));
      const ports = await this.#claimPorts(request, networks);
      try {
        const row = this.#recordSandbox(request, ports);
        await this.#build(row, indexes);
      } catch (error) {
        await this.#close(request.sandboxId, ports);
        throw error;
      }
      for (const network of networks) this.#emitAbout('connect', network, request.sandboxId);
      return this.#sandboxOrThrow(request.sandboxId);
    });
  }

  connect(sandboxId: string, request: EndpointRequest): Promise<Endpoint> {
    return this.#exclusive(async () => {
      const sandbox = this.#sandboxRowOrThrow(sandboxId);
      const network = this.#bridgeOrThrow(request.network);
      if (sandbox.endpoints.some((endpoint) => endpoint.networkId === network.id))
        throw errors.alreadyConnected(sandbox.name, network.name);
      const bridgeIndex = await this.#bridgeIndex(network);
      const row = this.#recordEndpoint(this.#sandboxRowOrThrow(sandboxId), network, request);
      try {
        await this.#plug(sandboxId, row, bridgeIndex);
      } catch (error) {
        await this.#unplug(sandboxId, row);
        throw error;
      }
      this.#emitAbout('connect', network, sandboxId);
      return toEndpoint(row, network);
    });
  }

  disconnect(sandboxId: string, nameOrId: string): Promise<void> {
    return this.#exclusive(async () => {
      const sandbox = this.#sandboxRowOrThrow(sandboxId);
      const network = this.#rowOrThrow(nameOrId);
      const row = sandbox.endpoints.find((endpoint) => endpoint.networkId === network.id);
      if (row === undefined) throw errors.notConnected(sandbox.name, network.name);
      await this.#unplug(sandboxId, row);
      this.#emitAbout('disconnect', network, sandboxId);
    });
  }

  rename(sandboxId: string, name: string): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#sandboxRow(sandboxId) === undefined) return;
      this.#records.renameSandbox(sandboxId, name);
      await this.#upkeep.apply(this.#state());
    });
  }

  closeSandbox(sandboxId: string): Promise<void> {
    return this.#exclusive(() => this.#close(sandboxId));
  }

  sandbox(sandboxId: string): Sandbox | undefined {
    const row = this.#sandboxRow(sandboxId);
    return row === undefined ? undefined : this.#toSandbox(row);
  }

  endpointsOf(nameOrId: string): readonly { readonly sandboxId: string; readonly endpoint: Endpoint }[] {
    const network = this.#rowOrThrow(nameOrId);
    return this.#records
      .sandboxes()
      .flatMap((sandbox) =>
        sandbox.endpoints
          .filter((row) => row.networkId === network.id)
          .map((row) => ({ sandboxId: sandbox.id, endpoint: toEndpoint(row, network) })),
      );
  }

  adopt(liveSandboxIds: ReadonlySet<string>): Promise<void> {
    return this.#exclusive(async () => {
      for (const sandbox of this.#records.sandboxes())
        if (!liveSandboxIds.has(sandbox.id)) this.#forgetSandbox(sandbox.id);
      await this.#upkeep.adopt(this.#state());
      await this.#dropStrayNamespaces();
      await this.#reclaimPorts();
    });
  }

  onEvent(listener: (event: NetworkEvent) => void): void {
    this.#events.on('event', listener);
  }

  check(): Promise<readonly NetworkCheck[]> {
    return checkMachine();
  }

  close(): Promise<void> {
    clearInterval(this.#mending);
    return this.#exclusive(async () => {
      await Promise.allSettled(this.#afterwork);
      await this.#claims.releaseAll();
    });
  }

  destroy(): Promise<void> {
    return this.#exclusive(async () => {
      for (const sandbox of this.#records.sandboxes()) this.#forgetSandbox(sandbox.id);
      await this.#dropStrayNamespaces();
      await this.#claims.releaseAll();
      await this.#upkeep.destroy(this.#state());
    });
  }

  // What the machine is made to do

  async #build(row: SandboxRow, bridgeIndexes: ReadonlyMap<string, number>): Promise<void> {
    const state = this.#state();
    const links = row.endpoints.map((endpoint) =>
      this.#linkStatements(networkOf(state, endpoint.networkId), endpoint, bridgeIndexes.get(endpoint.networkId) ?? 0),
    );
    const batch = renderLoopback() + links.join('') + defaultRouteOf(state, row);
    await allOf([
      makeNamespace(this.#namespacePath(row.id), batch),
      this.#upkeep.apply(state),
      writeSandboxFiles(this.#sandboxDirectory(row.id), state, row),
    ]);
    for (const endpoint of row.endpoints) await allowHairpin(hostLinkOf(endpoint.endpointId), this.#log);
  }

  async #plug(sandboxId: string, endpoint: EndpointRow, bridgeIndex: number): Promise<void> {
    const state = this.#state();
    const sandbox = this.#sandboxRowOrThrow(sandboxId);
    const links = this.#linkStatements(networkOf(state, endpoint.networkId), endpoint, bridgeIndex);
    await allOf([
      batchInNamespace(this.#namespacePath(sandboxId), links + defaultRouteOf(state, sandbox)),
      this.#upkeep.apply(state),
      writeSandboxFiles(this.#sandboxDirectory(sandboxId), state, sandbox),
    ]);
    await allowHairpin(hostLinkOf(endpoint.endpointId), this.#log);
  }

  async #unplug(sandboxId: string, endpoint: EndpointRow): Promise<void> {
    this.#records.together(() => {
      this.#records.removeEndpoint(endpoint.endpointId);
      reconcileViews(this.#records, this.#state());
    });
    const state = this.#state();
    const sandbox = this.#sandboxRowOrThrow(sandboxId);
    await run(['ip', 'link', 'del', hostLinkOf(endpoint.endpointId)]);
    await allOf([
      batchInNamespace(this.#namespacePath(sandboxId), defaultRouteOf(state, sandbox)),
      this.#upkeep.apply(state),
      writeSandboxFiles(this.#sandboxDirectory(sandboxId), state, sandbox),
    ]);
  }

  async #close(sandboxId: string, claimed: readonly PortBinding[] = []): Promise<void> {
    const sandbox = this.#sandboxRow(sandboxId);
    if (sandbox === undefined) return this.#claims.release(claimed);
    const networks = sandbox.endpoints.map((endpoint) => this.#rowOrThrow(endpoint.networkId));
    this.#forgetSandbox(sandboxId);
    await allOf([
      this.#upkeep.apply(this.#state()),
      dropNamespace(this.#namespacePath(sandboxId)),
      removeSandboxFiles(this.#sandboxDirectory(sandboxId)),
      this.#claims.release(sandbox.ports),
    ]);
    this.#removeLinksLater(sandbox.endpoints);
    for (const network of networks) this.#emitAbout('disconnect', network, sandboxId);
  }

  async #remove(network: NetworkRow): Promise<void> {
    if (network.predefined) throw errors.networkPredefined(network.name);
    const users = this.#records.sandboxes().filter((s) => s.endpoints.some((row) => row.networkId === network.id));
    if (users.length > 0)
      throw errors.networkInUse(
        network,
        users.map((sandbox) => sandbox.name),
      );
    await this.#forget(network);
    this.#emit({ kind: 'destroy', network: toRecord(network) });
  }

  async #forget(network: NetworkRow): Promise<void> {
    await this.#upkeep.removeBridge(network);
    this.#records.removeNetwork(network.id);
    const state = this.#state();
    await this.#upkeep.apply(state);
    await this.#upkeep.rest(state);
  }

  /** The namespace went already; the kernel takes the links with it, unless a process still lives there. */
  #removeLinksLater(endpoints: readonly EndpointRow[]): void {
    if (endpoints.length === 0) return;
    const input = endpoints.map((endpoint) => renderLinkRemoval(hostLinkOf(endpoint.endpointId))).join('');
    const work = run(['ip', '-force', '-batch', '-'], { input }).catch(() => undefined);
    this.#afterwork.add(work);
    void work.finally(() => this.#afterwork.delete(work));
  }

  async #dropStrayNamespaces(): Promise<void> {
    const known = new Set(this.#records.sandboxes().map((sandbox) => sandbox.id));
    for (const id of await readdir(join(this.#scope.runDirectory, 'netns')))
      if (!known.has(id)) await dropNamespace(this.#namespacePath(id));
    for (const id of await readdir(join(this.#scope.runDirectory, 'sandboxes')))
      if (!known.has(id)) await removeSandboxFiles(this.#sandboxDirectory(id));
  }

  async #reclaimPorts(): Promise<void> {
    for (const { ports, name } of this.#records.sandboxes()) {
      for (const port of ports) {
        await this.#claims
          .claim([port], () => undefined)
          .catch((error: unknown) => {
            this.#log.warn(
              { container: name, port, error: messageOf(error) },
              'a published port is used by another program too',
            );
          });
      }
    }
  }

  /** The predefined bridge gets its subnet on first use, so that an idle one is in nobody's way. */
  async #bridgeIndex(network: NetworkRow): Promise<number> {
    if (network.subnet !== '') return this.#upkeep.ensureBridge(network);
    const host = await observeHost();
    const plan = choosePlan(this.#taken(host.subnets), this.#poolOffset());
    this.#records.placeNetwork({ id: network.id, subnet: plan.subnet, gateway: plan.gateway, mtu: host.mtu });
    return this.#upkeep.ensureBridge(this.#rowOrThrow(network.id));
  }

  #linkStatements(network: NetworkRow, endpoint: EndpointRow, bridgeIndex: number): string {
    const prefixLength = Number(network.subnet.split('/')[1]);
    return renderEndpoint({ ...endpoint, prefixLength, mtu: network.mtu, bridgeIndex }, `/proc/${process.pid}/ns/net`);
  }

  // Records

  #recordSandbox(request: SandboxRequest, ports: readonly PortBinding[]): SandboxRow {
    const {
      sandboxId,
      hostname,
      domainname = '',
      dns = [],
      dnsSearch = [],
      dnsOptions = [],
      extraHosts = [],
    } = request;
    const settings = { hostname, domainname, dns, dnsSearch, dnsOptions, extraHosts };
    return this.#records.together(() => {
      this.#records.addSandbox({ id: sandboxId, name: request.name ?? hostname, settings, endpoints: [], ports });
      for (const endpoint of request.endpoints) {
        const sandbox = this.#sandboxRowOrThrow(sandboxId);
        this.#addEndpoint(sandbox, this.#bridgeOrThrow(endpoint.network), endpoint);
      }
      reconcileViews(this.#records, this.#state());
      return this.#sandboxRowOrThrow(sandboxId);
    });
  }

  #recordEndpoint(sandbox: SandboxRow, network: NetworkRow, request: EndpointRequest): EndpointRow {
    return this.#records.together(() => {
      const row = this.#addEndpoint(sandbox, network, request);
      reconcileViews(this.#records, this.#state());
      return row;
    });
  }

  #addEndpoint(sandbox: SandboxRow, network: NetworkRow, request: EndpointRequest): EndpointRow {
    if (sandbox.endpoints.some((endpoint) => endpoint.networkId === network.id))
      throw errors.alreadyConnected(sandbox.name, network.name);
    const position = sandbox.endpoints.reduce((next, endpoint) => Math.max(next, endpoint.position + 1), 0);
    const state = this.#state();
    const row = allocateEndpoint(this.#records, { state, network, request, sandboxId: sandbox.id, position });
    this.#records.addEndpoint(row);
    return row;
  }

  #forgetSandbox(id: string): void {
    this.#records.together(() => {
      this.#records.removeSandbox(id);
      reconcileViews(this.#records, this.#state());
    });
  }

  #claimPorts(request: SandboxRequest, networks: readonly NetworkRow[]): Promise<readonly PortBinding[]> {
    if (networks.every((network) => network.internal)) return Promise.resolve([]);
    const sandboxes = this.#records.sandboxes();
    return this.#claims.claim(request.ports, (wanted) => {
      const holder = sandboxes.find((sandbox) => sandbox.ports.some((port) => collide(port, wanted)));
      return holder === undefined ? undefined : `container ${holder.name}`;
    });
  }

  #taken(
    ofHost: readonly { readonly subnet: TakenSubnet['subnet']; readonly device: string }[],
  ): readonly TakenSubnet[] {
    const ours = bridgesOf(this.#state()).flatMap((network) => {
      const parsed = parseCidr(network.subnet);
      return parsed === undefined ? [] : [{ subnet: parsed.subnet, owner: `network ${network.name}` }];
    });
    return [...ours, ...ofHost.map(({ subnet, device }) => ({ subnet, owner: device }))];
  }

  /** Daemons with roots of their own begin to look elsewhere: two of them seldom want one subnet at one moment. */
  #poolOffset(): number {
    return this.#scope.suffix === '' ? 0 : parseInt(this.#scope.suffix, 16);
  }

  #state(): State {
    return {
      networks: this.#records.networks(),
      sandboxes: this.#records.sandboxes(),
      views: this.#records.views(),
      hostResolvConf: parseResolvConf(readIfThere('/etc/resolv.conf') ?? ''),
    };
  }

  #row(nameOrId: string): NetworkRow | undefined {
    const rows = this.#records.networks();
    const exact = rows.find((row) => row.id === nameOrId) ?? rows.find((row) => row.name === nameOrId);
    if (exact !== undefined || nameOrId === '') return exact;
    const matches = rows.filter((row) => row.id.startsWith(nameOrId));
    if (matches.length > 1) throw errors.networkAmbiguous(nameOrId);
    return matches[0];
  }

  #rowOrThrow(nameOrId: string): NetworkRow {
    const row = this.#row(nameOrId);
    if (row === undefined) throw errors.networkNotFound(nameOrId);
    return row;
  }

  #bridgeOrThrow(nameOrId: string): NetworkRow {
    const row = this.#rowOrThrow(nameOrId);
    if (row.driver === 'bridge') return row;
    throw errors.networkInvalid(
      `container cannot be connected to ${row.name} network together with others`,
      `Use the network mode "${row.name}" by itself, or bridge networks.`,
    );
  }

  #sandboxRow(id: string): SandboxRow | undefined {
    return this.#records.sandboxes().find((row) => row.id === id);
  }

  #sandboxRowOrThrow(id: string): SandboxRow {
    const row = this.#sandboxRow(id);
    if (row === undefined) throw errors.sandboxNotFound(id);
    return row;
  }

  #sandboxOrThrow(id: string): Sandbox {
    return this.#toSandbox(this.#sandboxRowOrThrow(id));
  }

  #toSandbox(row: SandboxRow): Sandbox {
    return {
      id: row.id,
      name: row.name,
      namespacePath: this.#namespacePath(row.id),
      endpoints: row.endpoints.map((endpoint) => toEndpoint(endpoint, this.#rowOrThrow(endpoint.networkId))),
      ports: row.ports,
      ...filesOf(this.#sandboxDirectory(row.id)),
    };
  }

  #namespacePath(sandboxId: string): string {
    return join(this.#scope.runDirectory, 'netns', sandboxId);
  }

  #sandboxDirectory(sandboxId: string): string {
    return join(this.#scope.runDirectory, 'sandboxes', sandboxId);
  }

  #emitAbout(kind: 'connect' | 'disconnect', network: NetworkRow, sandboxId: string): void {
    this.#emit({ kind, network: toRecord(network), sandboxId });
  }

  #emit(event: NetworkEvent): void {
    this.#events.emit('event', event);
  }

  #mend(): void {
    this.#exclusive(() => this.#upkeep.mendNames(this.#state())).catch((error: unknown) => {
      this.#log.warn({ error: messageOf(error) }, 'name servers could not be mended');
    });
  }

  /** Changes happen one after another: each plans on what the one before left. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function predefinedNetwork(name: 'bridge' | 'host' | 'none'): NetworkRow {
  const id = newId();
  return {
    ...{ id, name, driver: name, subnet: '', gateway: '', ipRange: '', internal: false, attachable: false },
    ...{ predefined: true, labels: {}, options: {}, mtu: 1500, createdAt: new Date() },
    bridge: name === 'bridge' ? bridgeOf(id) : '',
  };
}

function toRecord(row: NetworkRow): NetworkRecord {
  return { ...row, driver: row.driver as NetworkRecord['driver'] };
}

function toEndpoint(row: EndpointRow, network: NetworkRow): Endpoint {
  return {
    endpointId: row.endpointId,
    networkId: network.id,
    networkName: network.name,
    address: row.address,
    prefixLength: Number(network.subnet.split('/')[1]),
    gateway: network.gateway,
    macAddress: row.macAddress,
    aliases: row.aliases,
    interfaceName: row.interfaceName,
  };
}

function defaultRouteOf(state: State, sandbox: SandboxRow): string {
  const endpoint = outwardEndpointOf(state, sandbox);
  if (endpoint === undefined) return '';
  return renderDefaultRoute({
    gateway: networkOf(state, endpoint.networkId).gateway,
    interfaceName: endpoint.interfaceName,
  });
}

/** Waits for all, then fails with the first that failed: nothing goes on behind the back of the clean-up. */
async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason;
}
