import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';
import type { Scope } from '../../lib/scope.ts';
import type { State } from './desired.ts';
import { networkOf, outwardEndpointOf } from './desired.ts';
import {
  allowHairpin,
  batchInNamespace,
  dropNamespace,
  indexOfDevice,
  makeDirectories,
  makeNamespace,
} from './machine.ts';
import type { EndpointRow, NetworkRow, SandboxRow } from './records.ts';
import { hostLinkOf, renderDefaultRoute, renderEndpoint, renderLinkRemoval, renderLoopback } from './render-links.ts';
import { filesOf, removeSandboxFiles, writeSandboxFiles } from './sandbox-files.ts';
import { openUnmount } from './unmount.ts';
import type { SandboxFiles } from './sandbox-files.ts';

/** How long the kernel may take for the links of a namespace that ended. */
const LINK_PATIENCE_MS = 200;

/** Makes and unmakes namespaces, their links and their files. Decides nothing. */
export class SandboxWorks {
  readonly #runDirectory: string;
  readonly #log: Log;
  /** The host's ends of endpoints that are no more: looked at again in a moment, or by `settle`. */
  readonly #leavingLinks = new Set<string>();
  readonly #unmount = openUnmount();
  #removal: NodeJS.Timeout | undefined;

  constructor(scope: Scope, log: Log) {
    this.#runDirectory = scope.runDirectory;
    this.#log = log;
  }

  async prepare(): Promise<void> {
    const rooms = ['netns', 'names', 'sandboxes'].map((name) => join(this.#runDirectory, name));
    await makeDirectories(this.#runDirectory, ...rooms);
  }

  namespacePath(sandboxId: string): string {
    return join(this.#runDirectory, 'netns', sandboxId);
  }

  files(sandboxId: string): SandboxFiles {
    return filesOf(this.#directory(sandboxId));
  }

  /** The namespace with all its endpoints: one process. `bridgeIndexOf` gives the device index of a network's bridge. */
  async build(state: State, sandbox: SandboxRow, bridgeIndexOf: (networkId: string) => number): Promise<void> {
    const links = sandbox.endpoints.map((row) => linkStatements(state, row, bridgeIndexOf(row.networkId)));
    const batch = renderLoopback() + links.join('') + defaultRouteOf(state, sandbox);
    await allOf([makeNamespace(this.namespacePath(sandbox.id), batch), this.writeFiles(state, sandbox)]);
    for (const row of sandbox.endpoints) await allowHairpin(hostLinkOf(row.endpointId), this.#log);
  }

  /** One more endpoint while the container runs. */
  async plug(state: State, endpoint: EndpointRow, bridgeIndex: number): Promise<void> {
    const sandbox = sandboxOf(state, endpoint.sandboxId);
    const batch = linkStatements(state, endpoint, bridgeIndex) + defaultRouteOf(state, sandbox);
    await allOf([batchInNamespace(this.namespacePath(sandbox.id), batch), this.writeFiles(state, sandbox)]);
    await allowHairpin(hostLinkOf(endpoint.endpointId), this.#log);
  }

  /** Its endpoint away while the container runs; `state` is without it already. */
  async unplug(state: State, endpoint: EndpointRow): Promise<void> {
    const sandbox = sandboxOf(state, endpoint.sandboxId);
    await run(['ip', 'link', 'del', hostLinkOf(endpoint.endpointId)]);
    const batch = defaultRouteOf(state, sandbox);
    await allOf([batchInNamespace(this.namespacePath(sandbox.id), batch), this.writeFiles(state, sandbox)]);
  }

  /** Namespace and files away. The kernel takes the links with it, unless a process still lives there. */
  async drop(sandbox: SandboxRow): Promise<void> {
    await allOf([
      dropNamespace(this.namespacePath(sandbox.id), this.#unmount),
      removeSandboxFiles(this.#directory(sandbox.id)),
    ]);
    this.#removeLinksLater(sandbox.endpoints);
  }

  /** Namespaces and files of sandboxes that no record knows. */
  async dropStrays(knownIds: ReadonlySet<string>): Promise<void> {
    for (const id of await readdir(join(this.#runDirectory, 'netns')))
      if (!knownIds.has(id)) await dropNamespace(this.namespacePath(id), this.#unmount);
    for (const id of await readdir(join(this.#runDirectory, 'sandboxes')))
      if (!knownIds.has(id)) await removeSandboxFiles(this.#directory(id));
  }

  /** The three files as the records say now, in place. */
  writeFiles(state: State, sandbox: SandboxRow): Promise<void> {
    return writeSandboxFiles(this.#directory(sandbox.id), state, sandbox);
  }

  async settle(): Promise<void> {
    clearTimeout(this.#removal);
    this.#removal = undefined;
    const links = [...this.#leavingLinks].filter((name) => indexOfDevice(name) !== undefined);
    this.#leavingLinks.clear();
    if (links.length > 0) await run(['ip', '-force', '-batch', '-'], { input: links.map(renderLinkRemoval).join('') });
  }

  /** Not at once: the kernel takes nearly all of them by itself, which spares a process. */
  #removeLinksLater(endpoints: readonly EndpointRow[]): void {
    for (const { endpointId } of endpoints) this.#leavingLinks.add(hostLinkOf(endpointId));
    if (endpoints.length === 0 || this.#removal !== undefined) return;
    this.#removal = setTimeout(() => {
      this.settle().catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, 'links were not removed'));
    }, LINK_PATIENCE_MS).unref();
  }

  #directory(sandboxId: string): string {
    return join(this.#runDirectory, 'sandboxes', sandboxId);
  }
}

/** Waits for all, then fails with the first that failed: nothing goes on behind the back of the clean-up. */
export async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Bits of the subnet that name the network. */
export function prefixLengthOf(network: NetworkRow): number {
  return Number(network.subnet.split('/')[1]);
}

function linkStatements(state: State, endpoint: EndpointRow, bridgeIndex: number): string {
  const network = networkOf(state, endpoint.networkId);
  const link = { ...endpoint, prefixLength: prefixLengthOf(network), mtu: network.mtu, bridgeIndex };
  return renderEndpoint(link, `/proc/${process.pid}/ns/net`);
}

function defaultRouteOf(state: State, sandbox: SandboxRow): string {
  const endpoint = outwardEndpointOf(state, sandbox);
  if (endpoint === undefined) return '';
  const { gateway } = networkOf(state, endpoint.networkId);
  return renderDefaultRoute({ gateway, interfaceName: endpoint.interfaceName });
}

function sandboxOf(state: State, id: string): SandboxRow {
  const sandbox = state.sandboxes.find((row) => row.id === id);
  if (sandbox === undefined) throw new Error(`a sandbox without a record: ${id}`);
  return sandbox;
}
