import type { Exchange } from './exchange.ts';

export type Handler = (exchange: Exchange) => Promise<void> | void;

export interface Route {
  readonly method: string;
  /** `/containers/{id}/json`; `{name*}` takes slashes too, as image names have them. */
  readonly pattern: string;
  readonly handle: Handler;
}

export interface Match {
  readonly handle: Handler;
  readonly params: Readonly<Record<string, string>>;
}

export type Router = (method: string, path: string) => Match | undefined;

/** Builds a router; of several routes that match, the first wins. */
export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map((route) => ({ route, expression: expressionOf(route.pattern) }));
  return (method, path) => {
    for (const { route, expression } of compiled) {
      if (route.method !== method) continue;
      const match = expression.exec(path);
      if (match !== null) return { handle: route.handle, params: decoded(match.groups ?? {}) };
    }
    return undefined;
  };
}

/** The API version of a path and the rest: `/v1.41/info` is `1.41` and `/info`. */
export function splitVersion(path: string): { readonly version: string | undefined; readonly path: string } {
  const match = /^\/v(\d+\.\d+)(\/.*)$/.exec(path);
  return match === null ? { version: undefined, path } : { version: match[1], path: match[2] ?? '/' };
}

/** Below 0 where `a` is older than `b`, as in `1.9` and `1.41`. */
export function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}

function expressionOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.]/g, '\\.')
    .replace(/\{(\w+)\*\}/g, '(?<$1>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return new RegExp(`^${source}$`);
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeLoosely(value)]));
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
