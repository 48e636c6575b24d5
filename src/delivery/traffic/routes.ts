import type { Hands } from './hands.ts';
import { nowMs } from './moments.ts';
import { assertOptions, assertPreview, assertRoute, assertShare, assertTargets } from './names.ts';
import { normalisedMatch } from './ports.ts';
import type { Moved, Preview, PreviewMatch, RouteId, Traffic } from './traffic.ts';

type RouteChanges = Pick<
  Traffic,
  'setRoute' | 'setRoutes' | 'setPreview' | 'setRouteOptions' | 'removeRoute' | 'setTcpRoute'
>;

export function routeChanges({ record, proxy, laneCount, inTurn, applyProxy, applyKernel }: Hands): RouteChanges {
  /** Writes the record, then the proxy: one route by one write, or all at one instant. */
  const change = async (put: () => void, only?: RouteId): Promise<Moved> => {
    const before = record.read();
    put();
    const after = record.read();
    const fromMs = nowMs();
    return (await applyProxy(() => proxy.applyRoutes({ before, after }, only))) ?? { fromMs, untilMs: nowMs() };
  };
  /** A route that has no share yet has no entry in the proxy. */
  const changeIfThere = async (put: () => void, route: RouteId): Promise<void> => {
    if (record.read().routes.has(route)) await change(put, route);
    else put();
  };

  return {
    setRoute: (route, share) =>
      inTurn(async () => {
        assertRoute(route);
        assertShare(share, laneCount);
        return await change(() => record.putRoutes(new Map([[route, share]])), route);
      }),
    setRoutes: (shares) =>
      inTurn(async () => {
        for (const [route, share] of shares) {
          assertRoute(route);
          assertShare(share, laneCount);
        }
        return await change(() => record.putRoutes(shares));
      }),
    setPreview: (route, lane, match) =>
      inTurn(async () => {
        assertRoute(route);
        const preview = previewOf(lane, match);
        if (preview !== null) assertPreview(preview, laneCount);
        const before = record.read();
        record.putPreview(route, preview);
        // The host of a preview leads to the route before the route knows what to do with it.
        await applyProxy(() => proxy.applyPorts({ before, after: record.read() }));
        if (before.routes.has(route)) {
          await applyProxy(() => proxy.applyRoutes({ before, after: record.read() }, route));
        }
      }),
    setRouteOptions: (route, options) =>
      inTurn(async () => {
        assertRoute(route);
        assertOptions(options);
        await changeIfThere(() => record.putOptions(route, options), route);
      }),
    removeRoute: (route) =>
      inTurn(async () => {
        const before = record.read();
        record.removeRoute(route);
        await applyProxy(() => proxy.removeRoute(route));
        if (before.previews.has(route)) await applyProxy(() => proxy.applyPorts({ before, after: record.read() }));
        if (before.tcpRoutes.has(route)) await applyKernel();
      }),
    setTcpRoute: (route, targets) =>
      inTurn(async () => {
        assertRoute(route);
        assertTargets(targets);
        record.putTcpRoute(route, targets);
        return await applyKernel();
      }),
  };
}

function previewOf(lane: string | null, match: PreviewMatch | undefined): Preview | null {
  if (lane === null) return null;
  if (match === undefined) throw new RangeError('traffic: a preview needs a header or a host');
  if (!('host' in match)) return { lane, match };
  return { lane, match: { host: normalisedMatch(match).host ?? '' } };
}
