import { isParked, isSlot, type ServerKey } from '../slots.ts';
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
  /** Instances come before the routes that lead to them: those of slots that are empty, or hold something else … */
  readonly slotsToFill: readonly RecordedInstance[];
  /** … and those with servers of their own … */
  readonly additions: readonly CommandLine[];
  readonly routesDiffer: boolean;
  readonly portsDiffer: boolean;
  readonly matchesDiffer: boolean;
  readonly selectorsDiffer: boolean;
  /** … and go after them. */
  readonly slotsToEmpty: readonly ServerKey[];
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
  const unwanted = runtime.servers.filter((server) => !wanted.has(keyOf(server)));
  return {
    slotsToFill: intent.instances.filter(
      (instance) => isSlot(instance.server) && !isIn(live.get(keyOf(instance)), instance),
    ),
    additions: intent.instances.flatMap((instance) => additionsFor(version, instance, live.get(keyOf(instance)))),
    routesDiffer: differ(routesEntries(intent), runtime.routes),
    portsDiffer: differ(lookup.ports, runtime.ports),
    matchesDiffer: differ(lookup.matches, runtime.matches),
    selectorsDiffer: differ(selectorEntries(intent), runtime.selectors),
    slotsToEmpty: unwanted.filter((server) => isSlot(server.server) && !isParked(server)),
    removals: unwanted.filter(({ server }) => !isSlot(server)).flatMap((server) => removalsFor(version, server)),
  };
}

function additionsFor(
  version: ProxyVersion,
  instance: RecordedInstance,
  live: RuntimeServer | undefined,
): readonly CommandLine[] {
  const { server, isDraining } = instance;
  const state = isDraining ? drainServer(instance) : undrainServer(instance);
  if (isIn(live, instance)) return live.isInMaintenance === isDraining ? [] : [state];
  if (isSlot(server)) return [];
  const leave = live === undefined ? [] : removalsFor(version, live);
  return [...leave, addServer(version, instance), ...(isDraining ? [state] : [])];
}

function isIn(live: RuntimeServer | undefined, { address, port }: RecordedInstance): live is RuntimeServer {
  return live?.address === address && live.port === port;
}

/** Nobody waits for this instance any more: what still runs on it is cut. */
function removalsFor(version: ProxyVersion, server: RuntimeServer): readonly CommandLine[] {
  return [drainServer(server), closeServerSessions(server), deleteServer(version, server)];
}

function differ(wanted: ReadonlyMap<string, string>, live: MapEntries): boolean {
  return wanted.size !== live.size || [...wanted].some(([key, value]) => live.get(key)?.value !== value);
}

function keyOf({ lane, server }: ServerKey): string {
  return `${lane}/${server}`;
}
