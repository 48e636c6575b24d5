import type { Preview, RouteId, RouteOptions, RouteShare } from '../traffic.ts';
import { selectorsOf } from './selectors.ts';

/** All that decides about the requests of routes. */
export interface RoutesIntent {
  readonly routes: ReadonlyMap<RouteId, RouteShare>;
  readonly previews: ReadonlyMap<RouteId, Preview>;
  readonly options: ReadonlyMap<RouteId, RouteOptions>;
}

/** What a route's entry says of it, a letter each. */
export const FLAGS = { observed: 'o', accessLog: 'a', query: 'q', requestId: 'i', redirectToHttps: 's' } as const;

const NONE = '-';

/** Entries of the routes map. */
export function routesEntries(intent: RoutesIntent): ReadonlyMap<string, string> {
  return new Map([...intent.routes.keys()].map((route) => [route, routeText(intent, route)]));
}

/** Entries of the selectors map, of all routes. */
export function selectorEntries(intent: RoutesIntent): ReadonlyMap<string, string> {
  return new Map(
    [...intent.routes].flatMap(([route, share]) => [
      ...(selectorsOf(share, intent.previews.get(route))?.entries ?? new Map<string, string>()),
    ]),
  );
}

/**
 * One route's entry, which the configuration takes apart: the lane alone when that is all, else
 * `stable|candidate|weight|selectors|flags|largest body`.
 */
export function routeText({ routes, previews, options }: RoutesIntent, route: RouteId): string {
  const share = routes.get(route);
  if (share === undefined) return '';
  const { accessLog, maxBodyBytes, redirectToHttps, requestId } = options.get(route) ?? {};
  const isLogged = accessLog !== undefined && accessLog !== false;
  const flags = [
    share.observed === true ? FLAGS.observed : '',
    isLogged ? FLAGS.accessLog : '',
    accessLog === 'with-query' ? FLAGS.query : '',
    (requestId ?? isLogged) ? FLAGS.requestId : '',
    redirectText(redirectToHttps),
  ].join('');
  const fields = [
    share.candidate ?? NONE,
    share.candidate === null ? '0' : String(share.weight),
    selectorsOf(share, previews.get(route))?.id ?? NONE,
    flags === '' ? NONE : flags,
    maxBodyBytes === undefined ? NONE : String(maxBodyBytes),
  ];
  const isPlain = fields.every((field) => field === NONE || field === '0');
  return isPlain && maxBodyBytes === undefined ? share.stable : [share.stable, ...fields].join('|');
}

/** The last of the flags: `s`, or `s:8443` where TLS is spoken on another port than 443. */
function redirectText(redirect: RouteOptions['redirectToHttps'] = false): string {
  if (redirect === false) return '';
  return redirect === true || redirect === 443 ? FLAGS.redirectToHttps : `${FLAGS.redirectToHttps}:${redirect}`;
}

/** Reads an entry of the routes map; cohorts are not in it. */
export function parseShare(text: string): RouteShare {
  const [stable = '', candidate = NONE, weight = '0', , flags = NONE] = text.split('|');
  return {
    stable,
    candidate: candidate === NONE || candidate === '' ? null : candidate,
    weight: Number(weight),
    ...(flags.includes(FLAGS.observed) ? { observed: true } : {}),
  };
}
