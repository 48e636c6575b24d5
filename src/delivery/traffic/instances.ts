import { UserError } from '../../lib/errors.ts';
import { parseStat } from './haproxy/replies.ts';
import type { Hands } from './hands.ts';
import { assertInstance, assertLane } from './names.ts';
import { sessionsByInstance } from './observe.ts';
import type { RecordedInstance } from './state.ts';
import type { LaneId, Traffic } from './traffic.ts';

type InstanceChanges = Pick<
  Traffic,
  'addInstance' | 'drainInstance' | 'undrainInstance' | 'sessions' | 'closeSessions' | 'removeInstance'
>;

export function instanceChanges({ record, proxy, laneCount, inTurn, applyProxy }: Hands): InstanceChanges {
  const find = (lane: LaneId, name: string): RecordedInstance | undefined =>
    record.read().instances.find((instance) => instance.lane === lane && instance.name === name);

  const remove = async (lane: LaneId, name: string): Promise<void> => {
    const recorded = find(lane, name);
    if (recorded === undefined) return;
    record.putInstance({ ...recorded, isDraining: true });
    await applyProxy(async () => {
      if (!(await proxy.removeInstance(lane, name))) throw instanceBusy(lane, name);
    });
    record.removeInstance(lane, name);
  };

  return {
    addInstance: (lane, instance) =>
      inTurn(async () => {
        assertLane(lane, laneCount);
        assertInstance(instance);
        const { name, address, port, protocol = 'h1' } = instance;
        const known = find(lane, name);
        // A server keeps what it speaks for life.
        if (known !== undefined && (known.protocol ?? 'h1') !== protocol) await remove(lane, name);
        const recorded = { lane, name, address, port, protocol, isDraining: false };
        record.putInstance(recorded);
        await applyProxy(() => proxy.addInstance(recorded));
      }),
    drainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = find(lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: true });
        await applyProxy(() => proxy.drainInstance(lane, name));
      }),
    undrainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = find(lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: false });
        await applyProxy(() => proxy.undrainInstance(lane, name));
      }),
    async sessions(lanes) {
      if (lanes.length === 0) return new Map();
      const rows = parseStat(await proxy.api.ask(...lanes.map((lane) => `show stat ${lane} 4 -1`)));
      return sessionsByInstance(rows, lanes);
    },
    closeSessions: (lane, name) => inTurn(() => applyProxy(() => proxy.closeSessions(lane, name))),
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
