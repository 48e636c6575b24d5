import type { Intent, RecordedInstance } from '../state.ts';
import { type RecordedPort, slotPort } from '../ports.ts';
import {
  addServer,
  closeServerSessions,
  type CommandLine,
  deleteServer,
  drainServer,
  shareText,
  undrainServer,
} from './commands.ts';
import type { RuntimeServer } from './replies.ts';
import type { ProxySettings } from './render-haproxy.ts';
import type { ProxyVersion } from './version.ts';

/** What the running proxy holds. */
export interface Runtime {
  readonly servers: readonly RuntimeServer[];
  readonly routes: ReadonlyMap<string, string>;
  readonly ports: ReadonlyMap<string, string>;
}

export interface Repairs {
  /** Instances come before the routes that lead to them … */
  readonly additions: readonly CommandLine[];
  readonly routesDiffer: boolean;
  readonly portsDiffer: boolean;
  /** … and go after them. */
  readonly removals: readonly CommandLine[];
}

/** The commands that make a running proxy agree with the record. */
export function planRepairs(
  { version, httpPort }: Pick<ProxySettings, 'version' | 'httpPort'>,
  intent: Intent,
  runtime: Runtime,
): Repairs {
  const live = new Map(runtime.servers.map((server) => [keyOf(server), server]));
  const wanted = new Map(intent.instances.map((instance) => [keyOf(instance), instance]));
  return {
    additions: intent.instances.flatMap((instance) => additionsFor(version, instance, live.get(keyOf(instance)))),
    routesDiffer: differ(routesEntries(intent), runtime.routes),
    portsDiffer: differ(portsEntries(intent.ports, httpPort), runtime.ports),
    removals: runtime.servers
      .filter((server) => !wanted.has(keyOf(server)))
      .flatMap((server) => removalsFor(version, server)),
  };
}

/** Entries of the routes map: route → `stable|candidate|weight`. */
export function routesEntries(intent: Pick<Intent, 'routes'>): ReadonlyMap<string, string> {
  return new Map([...intent.routes].map(([route, share]) => [route, shareText(share)]));
}

/** Entries of the ports map: `8080` or `127.0.0.1@8080` → route, and `6@61003` → the port that slot stands for. */
export function portsEntries(ports: readonly RecordedPort[], httpPort: number): ReadonlyMap<string, string> {
  const http = ports.filter((port) => port.protocol === 'http');
  const slots = http.flatMap(({ port, slot }): [string, string][] =>
    slot === undefined ? [] : [[`6@${slotPort(httpPort, slot)}`, String(port)]],
  );
  return new Map([...http.map((port): [string, string] => [portKeyText(port), port.route]), ...slots]);
}

function portKeyText({ port, hostAddress }: RecordedPort): string {
  return hostAddress === undefined ? String(port) : `${hostAddress}@${port}`;
}

function additionsFor(
  version: ProxyVersion,
  instance: RecordedInstance,
  live: RuntimeServer | undefined,
): readonly CommandLine[] {
  const { lane, name, isDraining } = instance;
  const drain = isDraining ? [drainServer(lane, name)] : [];
  if (live === undefined) return [addServer(version, lane, instance), ...drain];
  if (live.address !== instance.address || live.port !== instance.port) {
    return [...removalsFor(version, live), addServer(version, lane, instance), ...drain];
  }
  if (live.isInMaintenance === isDraining) return [];
  return isDraining ? drain : [undrainServer(lane, name)];
}

/** Nobody waits for this instance any more: what still runs on it is cut. */
function removalsFor(version: ProxyVersion, { lane, name }: RuntimeServer): readonly CommandLine[] {
  return [drainServer(lane, name), closeServerSessions(lane, name), deleteServer(version, lane, name)];
}

function differ(wanted: ReadonlyMap<string, string>, live: ReadonlyMap<string, string>): boolean {
  return wanted.size !== live.size || [...wanted].some(([key, value]) => live.get(key) !== value);
}

function keyOf({ lane, name }: { readonly lane: string; readonly name: string }): string {
  return `${lane}/${name}`;
}
