import type { Moved, RouteId } from '../traffic.ts';
import { addEntries, changeEntry, deleteEntry } from './commands.ts';
import { groupOf, type Lookup } from './matches.ts';
import { CHALLENGE_PATH } from './render-frontend.ts';
import { challengesMapOf, matchesMapOf, portsMapOf, routesMapOf, selectorsMapOf } from './render-haproxy.ts';
import { type MapEntries, parseMap, parseNewVersion } from './replies.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { routesEntries, type RoutesIntent, routeText, selectorEntries } from './shares.ts';

type Entries = ReadonlyMap<string, string>;

/**
 * The four maps of a running proxy. Two of them decide at one instant what happens to a request (ports, routes); the
 * other two are what these point to (matches, selectors): written before, taken away after.
 */
export interface ProxyMaps {
  read(): Promise<Readonly<Record<'ports' | 'matches' | 'routes' | 'selectors', MapEntries>>>;
  /** One route by one write, or all of them at one instant. */
  applyRoutes(before: RoutesIntent, after: RoutesIntent, only?: RouteId): Promise<Moved>;
  removeRoute(route: RouteId): Promise<void>;
  applyPorts(before: Lookup, after: Lookup): Promise<void>;
  /** One answer to whoever checks a host name, by its token. */
  setChallenge(token: string, answer: string | null): Promise<void>;
  /** Whatever is there now. */
  repairRoutes(intent: RoutesIntent): Promise<void>;
  repairPorts(lookup: Lookup): Promise<void>;
}

export function createProxyMaps(api: RuntimeApi, runDirectory: string): ProxyMaps {
  const [ports, matches] = [portsMapOf(runDirectory), matchesMapOf(runDirectory)];
  const [routes, selectors] = [routesMapOf(runDirectory), selectorsMapOf(runDirectory)];
  const read = async (map: string): Promise<MapEntries> => parseMap(await api.ask(`show map ${map}`));

  const replaceRoutes = (intent: RoutesIntent): Promise<Moved> => replaceMap(api, routes, routesEntries(intent));

  return {
    async read() {
      const [livePorts, liveMatches, liveRoutes, liveSelectors] = await Promise.all([
        read(ports),
        read(matches),
        read(routes),
        read(selectors),
      ]);
      return { ports: livePorts, matches: liveMatches, routes: liveRoutes, selectors: liveSelectors };
    },
    async applyRoutes(before, after, only) {
      const [used, wanted] = [selectorEntries(before), selectorEntries(after)];
      // A request that has just read the old entry may still look for its selectors: these go with the next change.
      if (used.size + wanted.size > 0) {
        const live = await read(selectors);
        await removeOthers(api, selectors, live, new Map([...used, ...wanted]));
        await addMissing(api, selectors, live, wanted);
      }
      return only === undefined
        ? await replaceRoutes(after)
        : await setEntry(api, routes, only, routeText(after, only));
    },
    async removeRoute(route) {
      await api.tell([`del map ${routes} ${route}`], ['absent']);
    },
    async applyPorts(before, after) {
      if (before.matches.size + after.matches.size > 0) {
        const live = await read(matches);
        await removeOthers(api, matches, live, new Map([...before.matches, ...after.matches]));
        await addMissing(api, matches, live, after.matches);
      }
      await replaceMap(api, ports, after.ports);
      // A request that has just read the group may still look into it: what a port was before it became plain again
      // goes with the next change.
      const used = new Set(after.ports.values());
      const left = [...before.matches].filter(([key]) => !used.has(groupOf(key)));
      if (before.matches.size > left.length) {
        await removeOthers(api, matches, await read(matches), new Map([...left, ...after.matches]));
      }
    },
    async setChallenge(token, answer) {
      const [map, key] = [challengesMapOf(runDirectory), `${CHALLENGE_PATH}${token}`];
      if (answer === null) await api.tell([`del map ${map} ${key}`], ['absent']);
      else await setEntry(api, map, key, answer);
    },
    async repairRoutes(intent) {
      const wanted = selectorEntries(intent);
      await addMissing(api, selectors, await read(selectors), wanted);
      await replaceRoutes(intent);
      await removeOthers(api, selectors, await read(selectors), wanted);
    },
    async repairPorts(lookup) {
      await addMissing(api, matches, await read(matches), lookup.matches);
      await replaceMap(api, ports, lookup.ports);
      await removeOthers(api, matches, await read(matches), lookup.matches);
    },
  };
}

/** A line must fit into one of the proxy's buffers (16 KiB). */
const COMMANDS_IN_A_LINE = 30;
const PAYLOAD_BYTES = 8_192;

async function setEntry(api: RuntimeApi, map: string, key: string, value: string): Promise<Moved> {
  const reply = await api.tell([`set map ${map} ${key} ${value}`], ['absent']);
  return reply.verdict === 'absent' ? (await api.tell([`add map ${map} ${key} ${value}`])).moved : reply.moved;
}

/** Readers see all of the old entries or all of the new ones (management guide, "prepare map" and "commit map"). */
async function replaceMap(api: RuntimeApi, map: string, entries: Entries): Promise<Moved> {
  const version = parseNewVersion(await api.ask(`prepare map ${map}`));
  if (version === undefined) throw new Error(`no version of ${map} was prepared`);
  const additions = [...entries].map(([key, value]) => `add map @${version} ${map} ${key} ${value}`);
  for (let start = 0; start < additions.length; start += COMMANDS_IN_A_LINE) {
    await api.tell(additions.slice(start, start + COMMANDS_IN_A_LINE));
  }
  return (await api.tell([`commit map @${version} ${map}`])).moved;
}

async function addMissing(api: RuntimeApi, map: string, live: MapEntries, wanted: Entries): Promise<void> {
  const missing: [string, string][] = [];
  for (const [key, value] of wanted) {
    const known = live.get(key);
    if (known === undefined) missing.push([key, value]);
    else if (known.value !== value) await api.tell([changeEntry(map, known.reference, value)], ['absent']);
  }
  for (const batch of batchesOf(missing)) await api.tell([addEntries(map, batch)]);
}

async function removeOthers(api: RuntimeApi, map: string, live: MapEntries, kept: Entries): Promise<void> {
  for (const [key, { reference }] of live) {
    if (!kept.has(key)) await api.tell([deleteEntry(map, reference)], ['absent']);
  }
}

function batchesOf(entries: readonly [string, string][]): readonly (readonly [string, string][])[] {
  const batches: [string, string][][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const size = entry[0].length + entry[1].length + 2;
    if (bytes + size > PAYLOAD_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(entry);
    bytes += size;
  }
  return batches;
}
