import type { Service } from '../../compose/index.ts';
import type { PortKey, PublishedPort, RouteMatch, RouteOptions } from '../../traffic/index.ts';
import { type PlannedPort, step } from './plan.ts';
import type { Scene } from './scene.ts';
import type { Standing } from './standing.ts';
import type { Step, StepOf } from './step.ts';

/** Ports of the host that lead nowhere yet, or elsewhere, or are to speak TLS from now on, or no longer. */
export function publishSteps({ ports, observed }: Scene): readonly StepOf<'publish-port'>[] {
  const known = new Map(observed.traffic.publishedPorts.map((port) => [sayUse(port), port]));
  return ports.flatMap((wanted) => {
    const port = plainPort(wanted);
    const from = known.get(sayUse(port));
    if (from !== undefined && (from.tls ?? false) === (port.tls ?? false)) return [];
    const before = from === undefined ? {} : { from };
    return [step('declared in the Compose file', { kind: 'publish-port', port, ...before })];
  });
}

/** Those whose place something else has until now: that must be given back first. */
export function isMoved({ standing }: Scene, { port }: StepOf<'publish-port'>): boolean {
  return standing.ports.some((old) => {
    if (placeOf(old) !== placeOf(port)) return false;
    return old.protocol !== port.protocol || (keyOf(old) === keyOf(port) && old.route !== port.route);
  });
}

export function plainPort(port: PlannedPort): Standing['ports'][number] {
  const { service: _, target: __, ...plain } = port;
  return plain;
}

/** Ports and routes that only the release before had. */
export function removedTraffic({ standing, ports }: Scene): {
  readonly ports: readonly Step[];
  readonly routes: readonly Step[];
} {
  const cause = 'no longer in the Compose file';
  const declared = new Set(ports.map(sayUse));
  const kept = new Set(ports.map(({ route }) => route));
  const gone = standing.ports.filter((old) => !declared.has(sayUse(old)));
  const routes = new Set(gone.map(({ route }) => route).filter((route) => !kept.has(route)));
  return {
    ports: gone.map((port) => step(cause, { kind: 'unpublish-port', port })),
    routes: [...routes].map((route) => step(cause, { kind: 'remove-route', route })),
  };
}

/** Settings of routes that differ from what the Compose file says. */
export function optionSteps({ ports, observed, target }: Scene): readonly Step[] {
  const routes = Map.groupBy(
    ports.filter(({ protocol }) => protocol === 'http'),
    ({ route }) => route,
  );
  return [...routes].flatMap(([route, own]) => {
    const to = routeOptionsOf(target.model.services[own[0]!.service]!, own);
    const from = observed.traffic.routeOptions.get(route) ?? {};
    if (sayOptions(to) === sayOptions(from)) return [];
    return [step('declared in the Compose file', { kind: 'set-route-options', route, to, from })];
  });
}

function routeOptionsOf({ settings }: Service, ports: readonly PlannedPort[]): RouteOptions {
  const { tls, accessLog, maxBodyBytes } = settings;
  const secure = ports.filter((port) => port.tls === true).map(({ port }) => port);
  const redirect = secure.length === 0 ? undefined : secure.includes(443) || secure[0]!;
  return {
    ...(tls?.redirect === true && redirect !== undefined ? { redirectToHttps: redirect } : {}),
    ...(accessLog === true ? { accessLog } : {}),
    ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
  };
}

/** Equal for options that mean the same: what is absent has its default. */
function sayOptions(options: RouteOptions): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== false);
  return JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Equal for the same requests at the same place. */
function keyOf({ port, protocol, hostAddress = '', host = '', path = '' }: PortKey & RouteMatch): string {
  return JSON.stringify([port, protocol, hostAddress, host, path]);
}

/** HTTP is carried by TCP: one of both has a port. */
function placeOf({ port, protocol, hostAddress = '' }: PortKey): string {
  return `${protocol === 'udp' ? 'udp' : 'tcp'} ${hostAddress} ${port}`;
}

function sayUse(port: PublishedPort): string {
  return `${keyOf(port)} ${port.route}`;
}
