import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/errors.ts';
import { run } from '../../lib/process.ts';
import type { Scope } from '../../lib/scope.ts';
import { Coexistence } from './coexistence.ts';
import type { State } from './desired.ts';
import { bridgesOf, desiredNames, desiredRules } from './desired.ts';
import { indexOfDevice, ipBatch, nftTransaction, setKernelParameter } from './machine.ts';
import { NameServers } from './name-servers.ts';
import type { NetworkRow } from './records.ts';
import { hostLinkOf, renderBridge, renderLinkRemoval, renderViewAddresses } from './render-links.ts';
import type { RulesModel } from './render-rules.ts';
import { renderDifference, renderRemoval, renderRules } from './render-rules.ts';

/** Keeps the machine as the records say: bridges, packet rules, addresses of views, name servers. Decides nothing. */
export class Upkeep {
  readonly #table: string;
  readonly #log: Log;
  readonly #coexistence: Coexistence;
  readonly #names: NameServers;
  /** What the rules are known to hold; undefined: unknown, to be made anew. */
  #rules: RulesModel | undefined;
  /** `address bridge` of each view that is known to be set. */
  #viewAddresses: ReadonlySet<string> = new Set();

  constructor(scope: Scope, log: Log) {
    this.#table = scope.suffix === '' ? 'bascule' : `bascule_${scope.suffix}`;
    this.#log = log;
    this.#coexistence = new Coexistence(this.#table, log);
    this.#names = new NameServers(join(scope.runDirectory, 'names'), log);
  }

  /** Rules, view addresses and names after a change of the records. Bridges must be there. */
  async apply(state: State): Promise<void> {
    const addresses = new Set(viewAddressesOf(state));
    await ipBatch(renderViewAddresses('replace', [...addresses.difference(this.#viewAddresses)]), 'resolver address');
    const outcomes = await Promise.allSettled([
      this.#applyRules(state),
      this.#applyNames(state),
      this.#coexistence.ensure(),
    ]);
    const removed = [...this.#viewAddresses.difference(addresses)].filter((entry) =>
      isThere(entry.split(' ')[1] ?? ''),
    );
    await ipBatch(renderViewAddresses('del', removed), 'resolver address');
    this.#viewAddresses = addresses;
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The bridge of a network, made if it is not there; gives its device index. */
  async ensureBridge(network: NetworkRow): Promise<number> {
    const known = indexOfDevice(network.bridge);
    if (known !== undefined) return known;
    const prefixLength = Number(network.subnet.split('/')[1]);
    await ipBatch(renderBridge({ ...network, prefixLength }), `bridge of network ${network.name}`);
    await this.#enableForwarding();
    await setKernelParameter(`net/ipv4/conf/${network.bridge}/route_localnet`, '1');
    const index = indexOfDevice(network.bridge);
    if (index === undefined) throw new Error(`the bridge ${network.bridge} is not there although ip made it`);
    return index;
  }

  async removeBridge(network: NetworkRow): Promise<void> {
    if (isThere(network.bridge)) await ipBatch(renderLinkRemoval(network.bridge), `bridge of network ${network.name}`);
  }

  /** At start: nothing is believed of the machine; leftovers of sandboxes that are no more go. */
  async adopt(state: State): Promise<void> {
    this.#rules = undefined;
    this.#viewAddresses = new Set();
    const used = new Set(state.sandboxes.flatMap((s) => s.endpoints.map((endpoint) => endpoint.networkId)));
    const needed = bridgesOf(state).filter(
      (network) => !network.predefined || used.has(network.id) || isThere(network.bridge),
    );
    if (needed.length === 0) return this.#clear(state);
    for (const network of needed) await this.ensureBridge(network);
    await this.#enableForwarding();
    await this.#coexistence.ensure(0);
    await this.apply(state);
    await this.#removeStrayLinks(state);
  }

  /** Without networks a machine that lacks what they need is no failure. */
  async #clear(state: State): Promise<void> {
    await this.#names.apply({ files: new Map(), resolvers: [] });
    await this.rest(state).catch((error: unknown) => {
      this.#log.debug({ error: messageOf(error) }, 'leftovers of networks could not be looked for');
    });
  }

  /** When no bridge of ours is left, nothing of ours is left. */
  async rest(state: State): Promise<void> {
    if (bridgesOf(state).some((network) => isThere(network.bridge))) return;
    await this.#coexistence.remove();
    await nftTransaction(renderRemoval(this.#table));
    this.#rules = undefined;
  }

  async destroy(state: State): Promise<void> {
    await this.#names.apply({ files: new Map(), resolvers: [] });
    for (const network of bridgesOf(state)) await this.removeBridge(network);
    this.#viewAddresses = new Set();
    await this.rest(state);
  }

  /** Starts name servers again that ended by themselves. */
  async mendNames(state: State): Promise<void> {
    if (!this.#names.hasFailed(this.#desiredNames(state))) return;
    this.#log.warn({}, 'a name server has ended by itself and is started again');
    await this.#applyNames(state);
  }

  async #applyRules(state: State): Promise<void> {
    const wanted = desiredRules(state);
    const before = this.#rules;
    this.#rules = undefined;
    if (before === undefined) await nftTransaction(renderRules(this.#table, wanted));
    else await this.#changeRules(before, wanted);
    this.#rules = wanted;
  }

  /** Somebody may have flushed the rules since: then all are made anew. */
  async #changeRules(before: RulesModel, wanted: RulesModel): Promise<void> {
    try {
      await nftTransaction(renderDifference(this.#table, before, wanted));
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'packet rules are not as they were left: making them anew');
      await nftTransaction(renderRules(this.#table, wanted));
    }
  }

  async #applyNames(state: State): Promise<void> {
    await this.#names.apply(this.#desiredNames(state));
  }

  #desiredNames(state: State) {
    return desiredNames(state, (key) => this.#names.isRunning(key));
  }

  async #enableForwarding(): Promise<void> {
    if (await setKernelParameter('net/ipv4/ip_forward', '1'))
      this.#log.info({}, 'turned on net.ipv4.ip_forward: containers reach the outside through this machine');
  }

  /** The host's ends of endpoints that no record knows, on our bridges. */
  async #removeStrayLinks(state: State): Promise<void> {
    const known = new Set(state.sandboxes.flatMap((s) => s.endpoints.map((row) => hostLinkOf(row.endpointId))));
    const ports = await Promise.all(bridgesOf(state).map((network) => portsOf(network.bridge)));
    const stray = ports.flat().filter((name) => name.startsWith('bsv') && !known.has(name));
    await run(['ip', '-force', '-batch', '-'], { input: stray.map(renderLinkRemoval).join('') });
  }
}

function viewAddressesOf(state: State): readonly string[] {
  return state.views.flatMap((view) => {
    const home = state.networks.find((network) => network.id === view.homeNetworkId);
    return home === undefined ? [] : [`${view.address} ${home.bridge}`];
  });
}

async function portsOf(bridge: string): Promise<readonly string[]> {
  return isThere(bridge) ? readdir(`/sys/class/net/${bridge}/brif`) : [];
}

function isThere(device: string): boolean {
  return indexOfDevice(device) !== undefined;
}
