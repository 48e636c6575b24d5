import type { Action } from '../auth/rights.ts';
import type { Wanted } from '../auth/access.ts';
import { refusal } from '../errors.ts';
import { answerJson, type Exchange, type Parts } from '../exchange.ts';
import type { Route } from '../routes.ts';
import { deleteBlob, getBlob, headBlob } from './blobs.ts';
import { getCatalog, getReferrers, getTags } from './discovery.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './uploads.ts';

type Handler<Kind extends Route['kind']> = (
  parts: Parts,
  exchange: Exchange,
  route: Extract<Route, { readonly kind: Kind }>,
) => Promise<void> | void;

interface EndPoint<Kind extends Route['kind']> {
  /** What one must be allowed in the repository; undefined where there is none. */
  readonly action: Action | undefined;
  readonly handle: Handler<Kind>;
}

/** Every end point but `/token`, by route and method (OCI Distribution Specification 1.1, "Endpoints"). */
const END_POINTS: {
  readonly [Kind in Exclude<Route['kind'], 'token'>]: Readonly<Record<string, EndPoint<Kind>>>;
} = {
  base: { GET: { action: undefined, handle: (_parts, exchange) => answerJson(exchange, {}) } },
  catalog: { GET: { action: undefined, handle: getCatalog } },
  uploads: {
    POST: { action: 'push', handle: (parts, exchange, route) => postUpload(parts, exchange, route.repository) },
  },
  upload: {
    GET: { action: 'push', handle: getUpload },
    PATCH: { action: 'push', handle: patchUpload },
    PUT: { action: 'push', handle: putUpload },
    DELETE: { action: 'push', handle: deleteUpload },
  },
  blob: {
    GET: { action: 'pull', handle: getBlob },
    HEAD: { action: 'pull', handle: headBlob },
    DELETE: { action: 'delete', handle: deleteBlob },
  },
  manifest: {
    GET: { action: 'pull', handle: getManifest },
    HEAD: { action: 'pull', handle: getManifest },
    PUT: { action: 'push', handle: putManifest },
    DELETE: { action: 'delete', handle: deleteManifest },
  },
  tags: { GET: { action: 'pull', handle: (parts, exchange, route) => getTags(parts, exchange, route.repository) } },
  referrers: { GET: { action: 'pull', handle: getReferrers } },
};

const READING = new Set(['GET', 'HEAD']);

/** What is to be done for a request. */
export interface Call {
  readonly wanted: readonly Wanted[];
  run(parts: Parts, exchange: Exchange): Promise<void>;
}

/** @throws RegistryError `UNSUPPORTED` for a method that the end point does not have, or that changes what may not be changed */
export function callOf(
  route: Exclude<Route, { kind: 'token' }>,
  o: { readonly method: string; readonly readOnly: boolean },
): Call {
  const { method } = o;
  const byMethod = END_POINTS[route.kind] as unknown as Readonly<Record<string, EndPoint<never>>>;
  const endPoint = byMethod[method] ?? (method === 'HEAD' ? byMethod['GET'] : undefined);
  if (endPoint === undefined)
    throw refusal('UNSUPPORTED', { headers: { allow: Object.keys(byMethod).join(', ') }, detail: { method } });
  if (o.readOnly && !READING.has(method) && endPoint.action !== undefined)
    throw refusal('UNSUPPORTED', { message: 'the registry is read-only' });
  const { action } = endPoint;
  return {
    wanted: action === undefined || !('repository' in route) ? [] : [{ action, repository: route.repository }],
    run: async (parts, exchange) => endPoint.handle(parts, exchange, route as never),
  };
}
