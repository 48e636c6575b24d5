import { isIP } from 'node:net';
import { UserError } from '../../lib/errors.ts';
import type { InstanceAddress, LaneId, PortKey, RouteId, RouteShare, TcpTarget } from './traffic.ts';

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
  assert(Number.isInteger(share.weight) && share.weight >= 0 && share.weight <= 10_000, `weight ${share.weight}`);
}

export function assertTarget({ address, port }: TcpTarget): void {
  assert(isIP(address) === 4, `IPv4 address ${JSON.stringify(address)}`);
  assertPort(port);
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
