import { type Doors, doorOf, type RecordedPort, slotPort } from '../ports.ts';
import type { Preview, RouteId } from '../traffic.ts';

/**
 * How a request finds its route. The ports map leads a port to its route, or, where more than the port decides, to a
 * group (`=8080`); the matches map leads `=8080|<host>/<path>/` to a route by its longest beginning.
 */
export interface Lookup {
  /** `8080`, or `127.0.0.1@8080` → route or group; `6@61003` → the port that a slot stands for. */
  readonly ports: ReadonlyMap<string, string>;
  readonly matches: ReadonlyMap<string, string>;
}

/** What begins the name of a group; no route begins with it. */
export const GROUP = '=';

/** The group that a key of the matches map belongs to. */
export function groupOf(key: string): string {
  return key.slice(0, key.indexOf('|'));
}

export function lookupOf(
  published: readonly RecordedPort[],
  previews: ReadonlyMap<RouteId, Preview>,
  doors: Doors,
): Lookup {
  const http = published.filter((port) => port.protocol === 'http');
  const scopes = scopesOf(http);
  const slots = http.flatMap((port): [string, string][] =>
    port.slot === undefined ? [] : [[`6@${slotPort(doorOf(doors, port), port.slot)}`, String(port.port)]],
  );
  return {
    ports: new Map([
      ...[...scopes].map(([scope, ports]): [string, string] => [scope, leadsTo(scope, ports)]),
      ...slots,
    ]),
    matches: new Map([...scopes].flatMap(([scope, ports]) => [...matchesOf(scope, ports, previews)])),
  };

  function leadsTo(scope: string, ports: readonly RecordedPort[]): string {
    const [only] = ports;
    return only !== undefined && isPlain(scope, ports) ? only.route : `${GROUP}${scope}`;
  }

  function matchesOf(
    scope: string,
    ports: readonly RecordedPort[],
    wanted: ReadonlyMap<RouteId, Preview>,
  ): ReadonlyMap<string, string> {
    if (isPlain(scope, ports)) return new Map();
    const key = (host: string, path: string): string => `${GROUP}${scope}|${host}${path}/`;
    const previewed = ports.flatMap(({ route, path }): [string, string][] => {
      const match = wanted.get(route)?.match;
      return match !== undefined && 'host' in match ? [[key(match.host, path ?? ''), route]] : [];
    });
    return new Map([
      ...previewed,
      ...ports.map(({ host, path, route }): [string, string] => [key(host ?? '', path ?? ''), route]),
    ]);
  }

  /** One route takes every request, and no single address of the host has a route of its own for this port. */
  function isPlain(scope: string, ports: readonly RecordedPort[]): boolean {
    const [only, ...others] = ports;
    if (only === undefined || others.length > 0 || only.host !== undefined || only.path !== undefined) return false;
    return scope !== String(only.port) || ![...scopes.keys()].some((other) => other.endsWith(`@${only.port}`));
  }
}

/** Ports by `8080` and `127.0.0.1@8080`; the number alone is always there, as that is what is looked up first. */
function scopesOf(http: readonly RecordedPort[]): ReadonlyMap<string, readonly RecordedPort[]> {
  const scopes = new Map<string, RecordedPort[]>();
  for (const port of http) {
    const all = String(port.port);
    const own = port.hostAddress === undefined ? all : `${port.hostAddress}@${port.port}`;
    scopes.set(all, scopes.get(all) ?? []);
    scopes.set(own, [...(scopes.get(own) ?? []), port]);
  }
  return scopes;
}
