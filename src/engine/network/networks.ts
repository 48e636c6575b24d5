import { EventEmitter } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../lib/errors.ts';
import { newId } from '../../lib/id.ts';
import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';
import { checkMachine } from './check.ts';
import * as errors from './errors.ts';
import { observeHost } from './machine.ts';
import { choosePlan, planNetwork } from './network-plan.ts';
import { PortClaims } from './ports.ts';
import type { EndpointRow, NetworkRow, SandboxRow } from './records.ts';
import { openRecords } from './records.ts';
import { Registry } from './registry.ts';
import { allOf, prefixLengthOf, SandboxWorks } from './sandbox-works.ts';
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
  readonly #registry: Registry;
  readonly #upkeep: Upkeep;
  readonly #works: SandboxWorks;
  readonly #claims = new PortClaims();
  readonly #events = new EventEmitter<{ event: [NetworkEvent] }>();
  #queue: Promise<unknown> = Promise.resolve();
  #mending: NodeJS.Timeout | undefined;

  constructor(options: NetworksOptions) {
    this.#scope = options.scope;
    this.#log = options.log;
    this.#registry = new Registry(openRecords(options.database));
    this.#upkeep = new Upkeep(options.scope, options.log);
    this.#works = new SandboxWorks(options.scope, options.log);
  }

  async prepare(): Promise<void> {
    await this.#works.prepare();
    this.#registry.addPredefined();
    this.#mending = setInterval(() => this.#mend(), MEND_INTERVAL_MS).unref();
  }

  list(): readonly NetworkRecord[] {
    return this.#registry.networks().map(toRecord);
  }

  find(nameOrId: string): NetworkRecord | undefined {
    const row = this.#registry.findNetwork(nameOrId);
    return row === undefined ? undefined : toRecord(row);
  }

  get(nameOrId: string): NetworkRecord {
    return toRecord(this.#registry.network(nameOrId));
  }

  create(request: NetworkRequest): Promise<NetworkRecord> {
    return this.#exclusive(async () => {
      if (this.list().some((network) => network.name === request.name)) throw errors.networkNameTaken(request.name);
      const host = await observeHost();
      const taken = this.#registry.takenSubnets(host);
      const world = { id: newId(), now: new Date(), mtu: host.mtu, taken, poolOffset: this.#poolOffset() };
      const row = planNetwork(request, world);
      this.#registry.addNetwork(row);
      await this.#orUndo(
        () => this.#raise(row),
        () => this.#forget(row),
      );
      this.#emit({ kind: 'create', network: toRecord(row) });
      return toRecord(row);
    });
  }

  remove(nameOrId: string): Promise<void> {
    return this.#exclusive(() => this.#remove(this.#registry.network(nameOrId)));
  }

  prune(filter: (network: NetworkRecord) => boolean = () => true): Promise<readonly NetworkRecord[]> {
    return this.#exclusive(async () => {
      const unused = this.#registry
        .networks()
        .filter((row) => !row.predefined && this.#registry.sandboxesOn(row.id).length === 0 && filter(toRecord(row)));
      for (const row of unused) await this.#remove(row);
      return unused.map(toRecord);
    });
  }

  openSandbox(request: SandboxRequest): Promise<Sandbox> {
    return this.#exclusive(async () => {
      await this.#close(request.sandboxId);
      const networks = request.endpoints.map((endpoint) => this.#registry.bridgeNetwork(endpoint.network));
      const bridgeIndexes = new Map<string, number>();
      for (const network of networks) bridgeIndexes.set(network.id, await this.#bridgeIndex(network));
      const ports = await this.#claimPorts(request, networks);
      await this.#orUndo(
        () => this.#build(this.#registry.addSandbox(request, ports), bridgeIndexes),
        () => this.#close(request.sandboxId, ports),
      );
      for (const network of networks)
        this.#emit({ kind: 'connect', network: toRecord(network), sandboxId: request.sandboxId });
      return this.#toSandbox(this.#registry.sandbox(request.sandboxId));
    });
  }

  connect(sandboxId: string, request: EndpointRequest): Promise<Endpoint> {
    return this.#exclusive(async () => {
      this.#registry.sandbox(sandboxId);
      const bridgeIndex = await this.#bridgeIndex(this.#registry.bridgeNetwork(request.network));
      const row = this.#registry.addEndpoint(sandboxId, request);
      await this.#orUndo(
        () => this.#plug(row, bridgeIndex),
        () => this.#unplug(row),
      );
      const network = this.#registry.network(row.networkId);
      this.#emit({ kind: 'connect', network: toRecord(network), sandboxId });
      return toEndpoint(row, network);
    });
  }

  disconnect(sandboxId: string, nameOrId: string): Promise<void> {
    return this.#exclusive(async () => {
      const sandbox = this.#registry.sandbox(sandboxId);
      const network = this.#registry.network(nameOrId);
      const row = sandbox.endpoints.find((endpoint) => endpoint.networkId === network.id);
      if (row === undefined) throw errors.notConnected(sandbox.id, network.name);
      await this.#unplug(row);
      this.#emit({ kind: 'disconnect', network: toRecord(network), sandboxId });
    });
  }

  rename(sandboxId: string, name: string): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#registry.findSandbox(sandboxId) === undefined) return;
      this.#registry.renameSandbox(sandboxId, name);
      await this.#upkeep.apply(this.#registry.state());
    });
  }

  closeSandbox(sandboxId: string): Promise<void> {
    return this.#exclusive(() => this.#close(sandboxId));
  }

  sandbox(sandboxId: string): Sandbox | undefined {
    const row = this.#registry.findSandbox(sandboxId);
    return row === undefined ? undefined : this.#toSandbox(row);
  }

  endpointsOf(nameOrId: string): readonly { readonly sandboxId: string; readonly endpoint: Endpoint }[] {
    const network = this.#registry.network(nameOrId);
    return this.#registry
      .sandboxesOn(network.id)
      .flatMap((sandbox) =>
        sandbox.endpoints
          .filter((row) => row.networkId === network.id)
          .map((row) => ({ sandboxId: sandbox.id, endpoint: toEndpoint(row, network) })),
      );
  }

  adopt(liveSandboxIds: ReadonlySet<string>): Promise<void> {
    return this.#exclusive(async () => {
      for (const { id } of this.#registry.sandboxes()) if (!liveSandboxIds.has(id)) this.#registry.removeSandbox(id);
      const state = this.#registry.state();
      await this.#upkeep.adopt(state);
      await this.#works.dropStrays(new Set(state.sandboxes.map((sandbox) => sandbox.id)));
      for (const sandbox of state.sandboxes) await this.#works.writeFiles(state, sandbox);
      for (const sandbox of state.sandboxes) await this.#reclaimPorts(sandbox);
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
      await this.#works.settle();
      await this.#claims.releaseAll();
    });
  }

  destroy(): Promise<void> {
    return this.#exclusive(async () => {
      for (const { id } of this.#registry.sandboxes()) this.#registry.removeSandbox(id);
      await this.#works.dropStrays(new Set());
      await this.#works.settle();
      await this.#claims.releaseAll();
      await this.#upkeep.destroy(this.#registry.state());
    });
  }

  async #raise(network: NetworkRow): Promise<void> {
    await this.#upkeep.ensureBridge(network);
    await this.#upkeep.apply(this.#registry.state());
  }

  async #build(row: SandboxRow, bridgeIndexes: ReadonlyMap<string, number>): Promise<void> {
    const state = this.#registry.state();
    const indexOf = (networkId: string): number => bridgeIndexes.get(networkId) ?? 0;
    await allOf([this.#works.build(state, row, indexOf), this.#upkeep.apply(state)]);
  }

  async #plug(endpoint: EndpointRow, bridgeIndex: number): Promise<void> {
    const state = this.#registry.state();
    await allOf([this.#works.plug(state, endpoint, bridgeIndex), this.#upkeep.apply(state)]);
  }

  async #unplug(endpoint: EndpointRow): Promise<void> {
    this.#registry.removeEndpoint(endpoint.endpointId);
    const state = this.#registry.state();
    await allOf([this.#works.unplug(state, endpoint), this.#upkeep.apply(state)]);
  }

  async #close(sandboxId: string, claimed: readonly PortBinding[] = []): Promise<void> {
    const sandbox = this.#registry.findSandbox(sandboxId);
    if (sandbox === undefined) return this.#claims.release(claimed);
    this.#registry.removeSandbox(sandboxId);
    const state = this.#registry.state();
    await allOf([this.#upkeep.apply(state), this.#works.drop(sandbox), this.#claims.release(sandbox.ports)]);
    for (const { networkId } of sandbox.endpoints)
      this.#emit({ kind: 'disconnect', network: toRecord(this.#registry.network(networkId)), sandboxId });
  }

  async #remove(network: NetworkRow): Promise<void> {
    if (network.predefined) throw errors.networkPredefined(network.name);
    const users = this.#registry.sandboxesOn(network.id).map(({ name, endpoints }) => ({
      name,
      endpointId: endpoints.find(({ networkId }) => networkId === network.id)?.endpointId ?? '',
    }));
    if (users.length > 0) throw errors.networkInUse(network, users);
    await this.#forget(network);
    this.#emit({ kind: 'destroy', network: toRecord(network) });
  }

  /** Device before record: a crash in between leaves a record, whose bridge the next start makes again. */
  async #forget(network: NetworkRow): Promise<void> {
    await this.#upkeep.removeBridge(network);
    this.#registry.removeNetwork(network.id);
    const state = this.#registry.state();
    await this.#upkeep.apply(state);
    await this.#upkeep.rest(state);
  }

  /** The predefined bridge gets its subnet on first use, so that an idle one is in nobody's way. */
  async #bridgeIndex(network: NetworkRow): Promise<number> {
    if (network.subnet !== '') return this.#upkeep.ensureBridge(network);
    const host = await observeHost();
    const { subnet, gateway } = choosePlan(this.#registry.takenSubnets(host), this.#poolOffset());
    return this.#upkeep.ensureBridge(this.#registry.placeNetwork(network.id, { subnet, gateway, mtu: host.mtu }));
  }

  /** As with Docker, a container on internal networks only publishes nothing. */
  #claimPorts(request: SandboxRequest, networks: readonly NetworkRow[]): Promise<readonly PortBinding[]> {
    if (networks.every((network) => network.internal)) return Promise.resolve([]);
    return this.#claims.claim(request.ports, (wanted) => this.#registry.holderOf(wanted));
  }

  async #reclaimPorts({ name, ports }: SandboxRow): Promise<void> {
    for (const port of ports) {
      await this.#claims
        .claim([port], () => undefined)
        .catch((error: unknown) => {
          const fields = { container: name, port, error: messageOf(error) };
          this.#log.warn(fields, 'another program listens on a published port; it gets no connections');
        });
    }
  }

  /** Daemons with roots of their own begin to look elsewhere: two of them seldom want one subnet at one moment. */
  #poolOffset(): number {
    return this.#scope.suffix === '' ? 0 : parseInt(this.#scope.suffix, 16);
  }

  #toSandbox(row: SandboxRow): Sandbox {
    const { id, name, ports } = row;
    const endpoints = row.endpoints.map((endpoint) => toEndpoint(endpoint, this.#registry.network(endpoint.networkId)));
    return { id, name, namespacePath: this.#works.namespacePath(id), endpoints, ports, ...this.#works.files(id) };
  }

  #emit(event: NetworkEvent): void {
    this.#events.emit('event', event);
  }

  #mend(): void {
    this.#exclusive(() => this.#upkeep.mendNames(this.#registry.state())).catch((error: unknown) => {
      this.#log.warn({ error: messageOf(error) }, 'name servers could not be mended');
    });
  }

  /** What failed is what the caller hears of, even when undoing it fails as well. */
  async #orUndo(work: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await undo().catch((second: unknown) => {
        this.#log.error({ error: messageOf(second) }, 'what a failed change left behind could not be undone');
      });
      throw error;
    }
  }

  /** Changes happen one after another: each plans on what the one before left. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
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
    prefixLength: prefixLengthOf(network),
    gateway: network.gateway,
    macAddress: row.macAddress,
    aliases: row.aliases,
    interfaceName: row.interfaceName,
  };
}
