import type { Subnet } from './ipv4.ts';
import { broadcastOf, contains, containsSubnet, overlap, sizeOf } from './ipv4.ts';

/** A block from which networks get subnets of one size. */
export interface Pool {
  readonly block: Subnet;
  readonly prefixLength: number;
}

/**
 * 10.89 to 10.94 in /22s, which hold as many addresses as a bridge of Linux has ports (1,024): 384 networks. When these
 * are used up, 10.95 and 192.168.128/17 in /24s: 384 more.
 */
export const POOLS: readonly Pool[] = [
  ...[89, 90, 91, 92, 93, 94].map((second) => ({ block: tenDot(second), prefixLength: 22 })),
  { block: tenDot(95), prefixLength: 24 },
  { block: { base: ((192 * 256 + 168) * 256 + 128) * 256, prefixLength: 17 }, prefixLength: 24 },
];

function tenDot(second: number): Subnet {
  return { base: (10 * 256 + second) * 65_536, prefixLength: 16 };
}

/**
 * The first subnet of the pools that overlaps nothing taken, or undefined when all are. Pools of one size are one.
 * `offset` turns where the search begins, so that daemons side by side seldom want the same subnet.
 */
export function chooseSubnet(taken: readonly Subnet[], pools: readonly Pool[] = POOLS, offset = 0): Subnet | undefined {
  for (const alike of Map.groupBy(pools, ({ prefixLength }) => prefixLength).values()) {
    const subnets = alike.flatMap(subnetsOf);
    for (let i = 0; i < subnets.length; i++) {
      const subnet = subnets[(i + offset) % subnets.length];
      if (subnet !== undefined && !taken.some((other) => overlap(other, subnet))) return subnet;
    }
  }
  return undefined;
}

function subnetsOf({ block, prefixLength }: Pool): readonly Subnet[] {
  const size = 2 ** (32 - prefixLength);
  return Array.from({ length: sizeOf(block) / size }, (_, i) => ({ base: block.base + i * size, prefixLength }));
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
