import type { RuntimeServer } from './haproxy/replies.ts';
import type { LaneId } from './traffic.ts';

/**
 * Servers that stand in each lane from the start, parked until an instance gets one. HAProxy 2.6 keeps connections only
 * to such servers, not to those that are added while it runs. They speak HTTP/1.
 */
const SLOTS_PER_LANE = 6;

/** Where a server leads that nobody has: nothing is listening there, and it is in maintenance all the time. */
export const PARKED = { address: '127.0.0.1', port: 1 } as const;

/** A server of the proxy: a slot, or one of an instance of its own that has the instance's name. */
export interface ServerKey {
  readonly lane: LaneId;
  readonly server: string;
}

/** No instance has such a name: theirs begin with a letter or a digit. */
export const SLOTS: readonly string[] = Array.from({ length: SLOTS_PER_LANE }, (_, index) => `_${index + 1}`);

export function isSlot(server: string): boolean {
  return server.startsWith('_');
}

export function isParked({ server, isInMaintenance, address, port }: RuntimeServer): boolean {
  return isSlot(server) && isInMaintenance && address === PARKED.address && port === PARKED.port;
}

/** An instance and its server. */
interface Placed extends ServerKey {
  readonly name: string;
  readonly protocol?: 'h1' | 'h2';
}

/**
 * The server for an instance that has none yet: a slot that no instance of its lane has, else one of its own. Slots are
 * given in turn, so that what is read late, of an instance that has gone, is not taken for its successor's.
 * @param last the slot of this lane that was given last
 */
export function chooseServer(
  { lane, name, protocol }: Omit<Placed, 'server'>,
  instances: readonly Placed[],
  last?: string,
): string {
  if (protocol === 'h2') return name;
  const taken = new Set(instances.filter((other) => other.lane === lane).map(({ server }) => server));
  const start = last === undefined ? 0 : SLOTS.indexOf(last) + 1;
  return [...SLOTS.slice(start), ...SLOTS.slice(0, start)].find((slot) => !taken.has(slot)) ?? name;
}

/**
 * For a proxy that is about to start: whoever has a slot keeps it, free ones go to instances that have none. Also after
 * an upgrade from a Bascule without slots, or with more of them.
 */
export function settleServers<Instance extends Placed>(instances: readonly Instance[]): readonly Instance[] {
  const settled = new Map(instances.filter(isSettled).map((instance) => [keyOf(instance), instance]));
  for (const instance of instances) {
    if (settled.has(keyOf(instance))) continue;
    settled.set(keyOf(instance), { ...instance, server: chooseServer(instance, [...settled.values()]) });
  }
  return instances.map((instance) => settled.get(keyOf(instance)) ?? instance);
}

function isSettled({ server, protocol }: Placed): boolean {
  return SLOTS.includes(server) && protocol !== 'h2';
}

function keyOf({ lane, name }: Placed): string {
  return `${lane}/${name}`;
}

/** What to call a server in the words of those who know instances: one that nobody has keeps its own name. */
export function instanceNames(instances: readonly Placed[]): (at: ServerKey) => string {
  const names = new Map(instances.map(({ lane, server, name }) => [`${lane}/${server}`, name]));
  return ({ lane, server }) => names.get(`${lane}/${server}`) ?? server;
}
