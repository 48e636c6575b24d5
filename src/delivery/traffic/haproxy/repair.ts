import type { Intent, RecordedInstance } from '../state.ts';
import {
  addServer,
  closeServerSessions,
  type CommandLine,
  deleteServer,
  drainServer,
  undrainServer,
} from './commands.ts';
import { lookupOf } from './matches.ts';
import type { MapEntries, RuntimeServer } from './replies.ts';
import type { ProxySettings } from './render-haproxy.ts';
import { routesEntries, selectorEntries } from './shares.ts';
import type { ProxyVersion } from './version.ts';

/** What the running proxy holds. */
export interface Runtime {
  readonly servers: readonly RuntimeServer[];
  readonly routes: MapEntries;
  readonly ports: MapEntries;
  readonly matches: MapEntries;
  readonly selectors: MapEntries;
}

export interface Repairs {
  /** Instances come before the routes that lead to them … */
  readonly additions: readonly CommandLine[];
  readonly routesDiffer: boolean;
  readonly portsDiffer: boolean;
  readonly matchesDiffer: boolean;
  readonly selectorsDiffer: boolean;
  /** … and go after them. */
  readonly removals: readonly CommandLine[];
}

/** The commands that make a running proxy agree with the record. */
export function planRepairs(
  settings: Pick<ProxySettings, 'version' | 'httpPort' | 'tlsPort'>,
  intent: Intent,
  runtime: Runtime,
): Repairs {
  const { version } = settings;
  const lookup = lookupOf(intent.ports, intent.previews, settings);
  const live = new Map(runtime.servers.map((server) => [keyOf(server), server]));
  const wanted = new Map(intent.instances.map((instance) => [keyOf(instance), instance]));
  return {
    additions: intent.instances.flatMap((instance) => additionsFor(version, instance, live.get(keyOf(instance)))),
    routesDiffer: differ(routesEntries(intent), runtime.routes),
    portsDiffer: differ(lookup.ports, runtime.ports),
    matchesDiffer: differ(lookup.matches, runtime.matches),
    selectorsDiffer: differ(selectorEntries(intent), runtime.selectors),
    removals: runtime.servers
      .filter((server) => !wanted.has(keyOf(server)))
      .flatMap((server) => removalsFor(version, server)),
  };
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

function differ(wanted: ReadonlyMap<string, string>, live: MapEntries): boolean {
  return wanted.size !== live.size || [...wanted].some(([key, value]) => live.get(key)?.value !== value);
}

function keyOf({ lane, name }: { readonly lane: string; readonly name: string }): string {
  return `${lane}/${name}`;
}
