import { isIP } from 'node:net';
import { unreachable, UserError } from '../../lib/errors.ts';
import type {
  Certificate,
  Cohort,
  InstanceAddress,
  LaneId,
  PortKey,
  Preview,
  RouteId,
  RouteMatch,
  RouteOptions,
  RouteShare,
  TcpTarget,
} from './traffic.ts';

/**
 * What goes into command lines of the proxy and rules of the kernel has been looked at here. A caller that breaks
 * these has a bug: names come from validated models.
 */
export function assertInstance({ name, address, port }: InstanceAddress): void {
  assert(/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name), `instance name ${JSON.stringify(name)}`);
  assert(isIP(address) !== 0, `address ${JSON.stringify(address)}`);
  assertPort(port);
}

export function assertLane(lane: LaneId, laneCount: number): void {
  assert(
    /^lane-\d{3,}$/.test(lane) && Number(lane.slice(5)) < laneCount,
    `lane ${JSON.stringify(lane)} of ${laneCount}`,
  );
}

export function assertRoute(route: RouteId): void {
  assert(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(route), `route ${JSON.stringify(route)}`);
}

export function assertShare(share: RouteShare, laneCount: number): void {
  assertLane(share.stable, laneCount);
  if (share.candidate !== null) assertLane(share.candidate, laneCount);
  assertWeight(share.weight);
  share.cohorts?.forEach(assertCohort);
}

function assertCohort(cohort: Cohort): void {
  switch (cohort.kind) {
    case 'header':
    case 'cookie':
      assertToken(cohort.name);
      assert(isText(cohort.value ?? ''), `value of ${cohort.kind} ${cohort.name}`);
      return;
    case 'address':
      assert(cohort.networks.length > 0 && cohort.networks.every(isNetwork), `networks ${cohort.networks.join(', ')}`);
      return;
    default:
      unreachable(cohort);
  }
}

function isNetwork(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits);
  return bits > 0 && isLength && rest.length === 0 && !address.includes('%');
}

export function assertPreview({ lane, match }: Preview, laneCount: number): void {
  assertLane(lane, laneCount);
  if ('host' in match) return assertMatch({ host: match.host });
  assertToken(match.header.name);
  assert(match.header.value !== '' && isText(match.header.value), `value of header ${match.header.name}`);
}

export function assertOptions({ maxBodyBytes }: RouteOptions): void {
  if (maxBodyBytes === undefined) return;
  assert(Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0, `largest body ${maxBodyBytes}`);
}

export function assertCertificate({ name, hosts, fingerprint, pem }: Certificate): void {
  assert(/^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name), `name of a certificate ${name}`);
  for (const host of hosts) assertMatch({ host });
  assert(/^[0-9A-F]{40}$/.test(fingerprint), `fingerprint ${fingerprint}`);
  assert(pem.length <= 15_000 && !pem.includes('\n\n') && pem.endsWith('-----\n'), `certificate of ${name}`);
}

/** RFC 8555, 8.1: base64url; the answer is a token and a thumbprint. */
export function assertChallenge(token: string, answer: string | null): void {
  assert(/^[A-Za-z0-9_-]{1,200}$/.test(token), 'token of a challenge');
  assert(answer === null || /^[A-Za-z0-9_.-]{1,400}$/.test(answer), 'answer to a challenge');
}

/** Already normalised: small letters, no slash at the end. */
export function assertMatch({ host, path }: RouteMatch): void {
  if (host !== undefined) {
    assert(/^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?$/.test(host), `host ${JSON.stringify(host)}`);
  }
  if (path !== undefined) {
    assert(/^(?:\/[A-Za-z0-9._~!$&'()*+,=:@%-]+)+$/.test(path) && path.length <= 1_024, `path ${JSON.stringify(path)}`);
  }
}

/** All have a weight, or none has. */
export function assertTargets(targets: readonly TcpTarget[]): void {
  for (const { address, port, weight } of targets) {
    assert(isIP(address) === 4, `IPv4 address ${JSON.stringify(address)}`);
    assertPort(port);
    if (weight !== undefined) assertWeight(weight);
  }
  const weights = targets.flatMap(({ weight }) => (weight === undefined ? [] : [weight]));
  if (weights.length === 0) return;
  const sum = weights.reduce((total, weight) => total + weight, 0);
  assert(weights.length === targets.length && sum === 10_000, `weights of targets: ${weights.join(', ')}`);
}

function assertWeight(weight: number): void {
  assert(Number.isInteger(weight) && weight >= 0 && weight <= 10_000, `weight ${weight}`);
}

/** RFC 9110, 5.6.2: names of headers, and of cookies (RFC 6265, 4.1.1). */
function assertToken(name: string): void {
  assert(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/.test(name), `name ${JSON.stringify(name)}`);
}

/** What may stand in one header line. */
function isText(value: string): boolean {
  return value.length <= 4_096 && /^[\t -~\u0080-\u{10ffff}]*$/u.test(value);
}

export function assertPortKey({ port, hostAddress }: PortKey): void {
  assertPort(port);
  if (hostAddress === undefined) return;
  assert(isIP(hostAddress) !== 0, `host address ${JSON.stringify(hostAddress)}`);
  if (isIP(hostAddress) === 6) throw ipv6AddressUnsupported(port, hostAddress);
}

function ipv6AddressUnsupported(port: number, hostAddress: string): UserError {
  return new UserError({
    code: 'host-address-unsupported',
    kind: 'unsupported',
    message: `port ${port} is published on the IPv6 address ${hostAddress}; a single IPv6 address is not supported`,
    fix: 'Publish it on an IPv4 address, or on every address (leave the host address out): that includes IPv6.',
    details: { port, hostAddress },
  });
}

function assertPort(port: number): void {
  assert(Number.isInteger(port) && port >= 1 && port <= 65_535, `port ${port}`);
}

function assert(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new RangeError(`traffic: not valid: ${what}`);
}
