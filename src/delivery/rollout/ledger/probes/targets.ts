import type { Project } from '../../../compose/index.ts';
import type { PublishedPort } from '../../../traffic/index.ts';
import type { ProbeKind } from './report.ts';

/** One probe as it is to be run: where it connects to, and what it asks for. */
export interface ProbeTarget {
  readonly kind: ProbeKind;
  readonly service: string;
  /** As one would ask for it. */
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** For the `Host` header and TLS; absent: the address. */
  readonly host?: string;
  readonly path: string;
  readonly isTls: boolean;
  /** At most so often. */
  readonly intervalMs: number;
}

const MOST_SERVICES = 10;
/** All GET probes together send at most 40 requests a second. */
const SHORTEST_INTERVAL_MS = 250;
const DEFAULT_PROBE = { enabled: true, get: '/' } as const;
const TLS_PORTS: readonly number[] = [443, 8443];

/** The front doors that serve before the rollout and after it, one a service, and what its settings ask for there. */
export function probeTargets(
  model: Project,
  before: readonly PublishedPort[],
  after: readonly PublishedPort[],
): readonly ProbeTarget[] {
  const staying = before.filter((port) => port.protocol === 'http' && after.some((other) => isSameDoor(port, other)));
  const doors = new Map(staying.toReversed().map((port) => [serviceOf(port), port]));
  const probed = [...doors].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_SERVICES);
  const intervalMs = Math.max(SHORTEST_INTERVAL_MS, probed.length * 25);
  return probed.flatMap(([service, door]) => targetsOf(model, service, { door, intervalMs }));
}

function serviceOf({ route }: PublishedPort): string {
  return route.split('/')[1] ?? '';
}

function isSameDoor(a: PublishedPort, b: PublishedPort): boolean {
  return (
    a.port === b.port &&
    a.protocol === b.protocol &&
    a.route === b.route &&
    a.hostAddress === b.hostAddress &&
    a.host === b.host &&
    a.path === b.path
  );
}

function targetsOf(
  model: Project,
  service: string,
  { door, intervalMs }: { readonly door: PublishedPort; readonly intervalMs: number },
): readonly ProbeTarget[] {
  const settings = model.services[service]?.settings;
  const { enabled, ...paths } = { ...DEFAULT_PROBE, ...settings?.probe };
  if (!enabled || settings === undefined) return [];
  const isTls = settings.tls !== undefined && (settings.tls.ports ?? TLS_PORTS).includes(door.port);
  const host = door.host?.replace(/^\*/, 'probe');
  return Object.entries(paths).flatMap(([kind, asked]): readonly ProbeTarget[] => {
    if (asked === undefined) return [];
    const path = within(door.path, asked);
    return [
      {
        kind: kind as ProbeKind,
        service,
        url: `${isTls ? 'https' : 'http'}://${host ?? door.hostAddress ?? 'localhost'}:${door.port}${path}`,
        address: loopbackOf(door.hostAddress),
        port: door.port,
        ...(host === undefined ? {} : { host }),
        path,
        isTls,
        intervalMs,
      },
    ];
  });
}

/** A path that the route does not have is meant beneath it. */
function within(prefix: string | undefined, path: string): string {
  if (prefix === undefined || path === prefix || path.startsWith(`${prefix}/`)) return path;
  return path === '/' ? prefix : `${prefix}${path}`;
}

function loopbackOf(hostAddress: string | undefined): string {
  if (hostAddress === undefined || hostAddress === '0.0.0.0') return '127.0.0.1';
  return hostAddress === '::' ? '::1' : hostAddress;
}
