import { UserError } from '../../lib/errors.ts';
import { parseStat } from './haproxy/replies.ts';
import type { Hands } from './hands.ts';
import { assertInstance, assertLane } from './names.ts';
import { sessionsByInstance } from './observe.ts';
import { chooseServer, instanceNames, isSlot } from './slots.ts';
import type { RecordedInstance } from './state.ts';
import type { LaneId, Traffic } from './traffic.ts';

type InstanceChanges = Pick<
  Traffic,
  'addInstance' | 'drainInstance' | 'undrainInstance' | 'sessions' | 'closeSessions' | 'removeInstance'
>;

export function instanceChanges({ record, proxy, laneCount, inTurn, applyProxy }: Hands): InstanceChanges {
  const lastSlots = new Map<LaneId, string>();
  const find = (lane: LaneId, name: string): RecordedInstance | undefined =>
    record.read().instances.find((instance) => instance.lane === lane && instance.name === name);

  /** One that moves gets another slot: the proxy might still use connections to its old address. */
  const giveServer = (lane: LaneId, name: string, protocol: 'h1' | 'h2'): string => {
    const server = chooseServer({ lane, name, protocol }, record.read().instances, lastSlots.get(lane));
    if (isSlot(server)) lastSlots.set(lane, server);
    return server;
  };

  const remove = async (lane: LaneId, name: string): Promise<void> => {
    const recorded = find(lane, name);
    if (recorded === undefined) return;
    record.putInstance({ ...recorded, isDraining: true });
    await applyProxy(async () => {
      if (!(await proxy.removeInstance(recorded))) throw instanceBusy(lane, name);
    });
    record.removeInstance(lane, name);
  };

  return {
    addInstance: (lane, instance) =>
      inTurn(async () => {
        assertLane(lane, laneCount);
        assertInstance(instance);
        const { name, address, port, protocol = 'h1' } = instance;
        const earlier = find(lane, name);
        // A server keeps what it speaks for life.
        if (earlier !== undefined && (earlier.protocol ?? 'h1') !== protocol) await remove(lane, name);
        const known = find(lane, name);
        const stays = known?.address === address && known.port === port;
        const server = stays ? known.server : giveServer(lane, name, protocol);
        const recorded = { lane, name, server, address, port, protocol, isDraining: false };
        record.putInstance(recorded);
        await applyProxy(async () => {
          await proxy.addInstance(recorded);
          if (known !== undefined && known.server !== server) await proxy.dropInstance(known);
        });
      }),
    drainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = find(lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: true });
        await applyProxy(() => proxy.drainInstance(recorded));
      }),
    undrainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = find(lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: false });
        await applyProxy(() => proxy.undrainInstance(recorded));
      }),
    async sessions(lanes) {
      if (lanes.length === 0) return new Map();
      const rows = parseStat(await proxy.api.ask(...lanes.map((lane) => `show stat ${lane} 4 -1`)));
      return sessionsByInstance(rows, lanes, instanceNames(record.read().instances));
    },
    closeSessions: (lane, name) =>
      inTurn(async () => {
        const recorded = find(lane, name);
        if (recorded !== undefined) await applyProxy(() => proxy.closeSessions(recorded));
      }),
    removeInstance: (lane, name) => inTurn(() => remove(lane, name)),
  };
}

function instanceBusy(lane: LaneId, name: string): UserError {
  return new UserError({
    code: 'instance-busy',
    kind: 'conflict',
    message: `instance ${name} in ${lane} still has running requests or open connections`,
    fix: 'Wait until they end, or cut them when the drain deadline has passed.',
    details: { lane, name },
  });
}
