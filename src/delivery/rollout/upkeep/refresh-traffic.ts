import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../../lib/errors.ts';
import type { Fleet, ObservedInstance } from '../../fleet/index.ts';
import type { InstanceAddress, Traffic } from '../../traffic/index.ts';
import type { Withdrawn } from './withdrawn.ts';
import { liveSets, type SetRecord, type Standing } from '../plan/standing.ts';

interface Outside {
  readonly fleet: Pick<Fleet, 'inspect'>;
  readonly traffic: Traffic;
  readonly withdrawn: Pick<Withdrawn, 'of'>;
}

/**
 * Makes lanes and TCP routes follow the instances' addresses: a restarted instance may have a new one.
 * @param extent `lanes` while a rollout runs that may be moving the TCP routes itself
 */
export async function refreshTraffic(o: Outside, standing: Standing, extent: 'lanes' | 'all'): Promise<void> {
  const sets = liveSets(standing);
  const names = [...new Set(sets.flatMap((set) => set.instances))];
  const seen = new Map(await Promise.all(names.map(async (name) => [name, await o.fleet.inspect(name)] as const)));
  for (const set of sets) await refreshLanes(o, set, { seen, extent });
  if (extent === 'all') await refreshTcp(o, standing, seen);
}

type Seen = ReadonlyMap<string, ObservedInstance | undefined>;

/** A person took it out of traffic; a successor under its name is another one. */
export function isWithdrawn(
  { withdrawn }: Pick<Outside, 'withdrawn'>,
  instance: ObservedInstance | undefined,
): boolean {
  return instance !== undefined && withdrawn.of(instance.project).get(instance.name)?.id === instance.id;
}

interface Look {
  readonly seen: Seen;
  readonly extent: 'lanes' | 'all';
}

/** While a rollout runs it drains instances itself, and takes them out of their lanes. */
async function refreshLanes(o: Outside, set: SetRecord, { seen, extent }: Look): Promise<void> {
  if (Object.keys(set.lanes).length === 0 || set.network === undefined) return;
  const { traffic } = o;
  const state = await traffic.observe();
  for (const [port, lane] of Object.entries(set.lanes)) {
    const servers = state.lanes.find(({ id }) => id === lane)?.instances ?? [];
    for (const name of set.instances) {
      const address = seen.get(name)?.addresses[set.network];
      const server = servers.find((each) => each.name === name);
      const isTakenOut = server === undefined && extent === 'lanes';
      if (address === undefined || isTakenOut || isWithdrawn(o, seen.get(name))) continue;
      if (server?.address !== address) await place(traffic, lane, { name, address, port: Number(port) }, server);
      else if (server.state === 'draining' && extent === 'all') await traffic.undrainInstance(lane, name);
    }
  }
}

async function place(
  traffic: Traffic,
  lane: string,
  at: InstanceAddress,
  old: InstanceAddress | undefined,
): Promise<void> {
  if (old !== undefined) await removeFromLane(traffic, lane, at.name);
  await traffic.addInstance(lane, at);
}

async function refreshTcp(o: Outside, standing: Standing, seen: Seen): Promise<void> {
  const routes = new Set(standing.ports.filter((port) => port.protocol !== 'http').map((port) => port.route));
  for (const route of routes) {
    const [, service, port] = route.split('/');
    const set = standing.current?.sets.find((each) => each.service === service);
    if (set?.network === undefined) continue;
    const { network, instances } = set;
    const present = instances.map((name) => seen.get(name)).filter((each) => !isWithdrawn(o, each));
    const addresses = present.flatMap((each) => each?.addresses[network] ?? []);
    if (addresses.length > 0)
      await o.traffic.setTcpRoute(
        route,
        addresses.map((address) => ({ address, port: Number(port) })),
      );
  }
}

/** Takes it out at once: what still runs on it is cut. Planners see to it that nothing does. */
export async function removeFromLane(traffic: Traffic, lane: string, name: string): Promise<void> {
  await traffic.drainInstance(lane, name);
  for (let attempt = 1; ; attempt++) {
    await traffic.closeSessions(lane, name);
    try {
      await traffic.removeInstance(lane, name);
      return;
    } catch (error) {
      const isBusy = error instanceof UserError && error.code === 'instance-busy';
      if (!isBusy || attempt === REMOVE_ATTEMPTS) throw error;
      await delay(50);
    }
  }
}
const REMOVE_ATTEMPTS = 40;
