import { UserError } from '../../../lib/errors.ts';
import type { PortKey, PublishedPort, Traffic, TrafficState } from '../../traffic/index.ts';
import { type PlannedPort, routeOf } from './plan.ts';
import type { DeclaredPort } from '../commands/prepare.ts';

/** The host ports of a release. One that is left to us stays what it was, as long as its route is published. */
export async function choosePorts(
  project: string,
  declared: readonly DeclaredPort[],
  o: { readonly traffic: Pick<Traffic, 'portHolder'>; readonly state: Pick<TrafficState, 'publishedPorts'> },
): Promise<readonly PlannedPort[]> {
  const { publishedPorts } = o.state;
  const others = publishedPorts.filter(({ route }) => projectOf(route) !== project);
  const places: Places = {
    byRoute: Map.groupBy(publishedPorts, ({ route }) => route),
    others: Map.groupBy(others, ({ port }) => port),
    taken: new Map(),
  };
  const chosen: PlannedPort[] = [];
  for (const each of declared) {
    const port = await choosePort({ project, declared: each, places, traffic: o.traffic });
    chosen.push(port);
    places.taken.set(port.port, [...(places.taken.get(port.port) ?? []), port]);
  }
  return chosen;
}

/** What stands in the way of a choice, looked up by what two that clash have in common. */
interface Places {
  readonly byRoute: ReadonlyMap<string, readonly PublishedPort[]>;
  /** Of other projects, by number. */
  readonly others: ReadonlyMap<number, readonly PublishedPort[]>;
  /** Of this release, by number: as it is chosen. */
  readonly taken: Map<number, readonly PlannedPort[]>;
}

interface Choice {
  readonly project: string;
  readonly declared: DeclaredPort;
  readonly places: Places;
  readonly traffic: Pick<Traffic, 'portHolder'>;
}

async function choosePort(choice: Choice): Promise<PlannedPort> {
  const { declared, project, places } = choice;
  const route = routeOf(project, declared.service, declared.target);
  const range = rangeOf(declared.published);
  const known = places.byRoute
    .get(route)
    ?.find(
      (port) =>
        port.protocol === declared.protocol &&
        port.hostAddress === declared.hostAddress &&
        port.port >= range.first &&
        port.port <= range.last,
    );
  const { published: _, tlsPorts, ...rest } = declared;
  const plannedAt = (port: number): PlannedPort => ({
    ...rest,
    port,
    route,
    ...(tlsPorts.includes(port) ? { tls: true } : {}),
  });
  if (known !== undefined && userOf(plannedAt(known.port), choice) === undefined) return plannedAt(known.port);
  for (let port = range.first; port <= range.last; port++) {
    const reason = await whyNot(plannedAt(port), choice);
    if (reason === undefined) return plannedAt(port);
    if (range.first === range.last) throw portRefused(plannedAt(port), reason);
  }
  throw portRefused(plannedAt(range.first), `no port from ${range.first} to ${range.last} is free`);
}

function rangeOf(published: string): { readonly first: number; readonly last: number } {
  if (published === '' || published === '0') return { first: 32_768, last: 60_999 };
  const [first = published, last = first] = published.split('-', 2);
  return { first: Number(first), last: Number(last) };
}

async function whyNot(port: PlannedPort, choice: Choice): Promise<string | undefined> {
  const user = userOf(port, choice);
  if (user !== undefined) return `${user} publishes it too`;
  const holder = await choice.traffic.portHolder(keyOf(port));
  if (holder === undefined) return undefined;
  return `${holder.program ?? 'another program'}${holder.pid === undefined ? '' : ` (pid ${holder.pid})`} listens on ${holder.address}`;
}

/** Who else of ours has it. */
function userOf(port: PlannedPort, { places }: Choice): string | undefined {
  const [taken, others] = [places.taken.get(port.port) ?? [], places.others.get(port.port) ?? []];
  const own = taken.find((other) => clashes(other, port));
  if (own !== undefined) return `services.${own.service}`;
  const otherwise = taken.find((each) => speaksOtherwise(each, port));
  if (otherwise !== undefined) return `services.${otherwise.service}, ${saySpeech(otherwise)}`;
  const other = others.find((each) => clashes(each, port));
  if (other !== undefined) return `the project "${projectOf(other.route)}"`;
  const stranger = others.find((each) => speaksOtherwise(each, port));
  if (stranger === undefined) return undefined;
  return `the project "${projectOf(stranger.route)}", ${saySpeech(stranger)}`;
}

function projectOf(route: string): string {
  return route.slice(0, route.indexOf('/'));
}

/**
 * HTTP is carried by TCP; a port of all addresses is a port of each. Routes share an HTTP port when the proxy can tell
 * their requests apart: by the address, the host or the path.
 */
function clashes(a: PublishedPort, b: PublishedPort): boolean {
  const transport = ({ protocol }: PortKey): string => (protocol === 'udp' ? 'udp' : 'tcp');
  if (a.port !== b.port || transport(a) !== transport(b)) return false;
  const isSameAddress = a.hostAddress === b.hostAddress;
  if (a.protocol === 'http' && b.protocol === 'http') return isSameAddress && a.host === b.host && a.path === b.path;
  return isSameAddress || a.hostAddress === undefined || b.hostAddress === undefined;
}

function saySpeech({ tls }: PublishedPort): string {
  return tls === true ? 'with TLS,' : 'without TLS,';
}

/** One port speaks TLS for all of its routes, or for none. */
function speaksOtherwise(a: PublishedPort, b: PublishedPort): boolean {
  const isSamePlace = a.port === b.port && a.protocol === b.protocol && a.hostAddress === b.hostAddress;
  return isSamePlace && (a.tls === true) !== (b.tls === true);
}

function keyOf({ port, protocol, hostAddress }: PlannedPort): PortKey {
  return { port, protocol, ...(hostAddress === undefined ? {} : { hostAddress }) };
}

function portRefused({ service, port, hostAddress }: PlannedPort, reason: string): UserError {
  return new UserError({
    code: 'port-in-use',
    kind: 'conflict',
    message: `services.${service}.ports: port ${hostAddress === undefined ? '' : `${hostAddress}:`}${port} cannot be published: ${reason}`,
    fix: 'Publish another port in the Compose file, or free this one. Nothing was changed.',
    details: { service, port },
  });
}
