import type { Subnet } from './ipv4.ts';
import { broadcastOf, contains, containsSubnet, overlap, sizeOf } from './ipv4.ts';

/** A block from which networks get subnets of one size. */
export interface Pool {
  readonly block: Subnet;
  readonly prefixLength: number;
}

/** 10.89 to 10.95 and 192.168.128/17, in /24s: 1,920 networks. */
export const POOLS: readonly Pool[] = [
  ...[89, 90, 91, 92, 93, 94, 95].map((second) => ({
    block: { base: (10 * 256 + second) * 65_536, prefixLength: 16 },
    prefixLength: 24,
  })),
  { block: { base: ((192 * 256 + 168) * 256 + 128) * 256, prefixLength: 17 }, prefixLength: 24 },
];

/**
 * The first subnet of the pools that overlaps nothing taken, or undefined when all are.
 * `offset` turns where the search in each pool begins, so that daemons side by side seldom want the same one.
 */
export function chooseSubnet(taken: readonly Subnet[], pools: readonly Pool[] = POOLS, offset = 0): Subnet | undefined {
  for (const { block, prefixLength } of pools) {
    const size = 2 ** (32 - prefixLength);
    const count = sizeOf(block) / size;
    for (let i = 0; i < count; i++) {
      const subnet = { base: block.base + ((i + offset) % count) * size, prefixLength };
      if (!taken.some((other) => overlap(other, subnet))) return subnet;
    }
  }
  return undefined;
}

export interface AddressSpace {
  readonly subnet: Subnet;
  /** Part of the subnet to choose from. */
  readonly range: Subnet;
  readonly gateway: number;
  readonly used: ReadonlySet<number>;
}

/**
 * The next free address after `cursor`, going round: an address given back is not used again before all the others
 * were, so that nobody's stale connection ends at a stranger. Undefined when none is free.
 */
export function chooseAddress(space: AddressSpace, cursor: number | undefined): number | undefined {
  const size = sizeOf(space.range);
  const start = cursor !== undefined && contains(space.range, cursor) ? cursor - space.range.base + 1 : 0;
  for (let i = 0; i < size; i++) {
    const address = space.range.base + ((start + i) % size);
    if (isFree(space, address)) return address;
  }
  return undefined;
}

/** The highest free address: for resolvers, far away from what containers get first. */
export function chooseHighAddress(space: AddressSpace): number | undefined {
  for (let address = broadcastOf(space.subnet) - 1; address > space.subnet.base; address--) {
    if (isFree(space, address)) return address;
  }
  return undefined;
}

/** May a host have it: inside, neither the network's own nor the broadcast address. */
export function isHostAddress(subnet: Subnet, address: number): boolean {
  if (!contains(subnet, address)) return false;
  return subnet.prefixLength >= 31 || (address !== subnet.base && address !== broadcastOf(subnet));
}

function isFree(space: AddressSpace, address: number): boolean {
  return isHostAddress(space.subnet, address) && address !== space.gateway && !space.used.has(address);
}

/** Why a plan of addresses for a network cannot be, in Docker's words; undefined when it can. */
export function findPlanError(plan: {
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly range: Subnet;
}): string | undefined {
  if (plan.subnet.prefixLength > 30) return 'the subnet is too small: a /30 is the smallest that holds a container';
  if (!isHostAddress(plan.subnet, plan.gateway)) return 'no matching subnet for gateway';
  if (!containsSubnet(plan.subnet, plan.range)) return 'no matching subnet for range';
  return undefined;
}
