import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { countersOf } from './haproxy/counters.ts';
import type { HttpProxy } from './haproxy/proxy.ts';
import { socketPathOf } from './haproxy/render-haproxy.ts';
import { createKeeper } from './keeper.ts';
import { observe, sessionsByInstance, statCommands, usedLanes } from './observe.ts';
import { parseStat, parseTable } from './haproxy/replies.ts';
import { assertInstance, assertLane, assertPortKey, assertRoute, assertShare, assertTarget } from './names.ts';
import { applyTraffic, holderOf, interfacesTo, otherTableWith, removeTraffic } from './nft/kernel.ts';
import { conflictOf, isSamePort, portInUse, portPublished, slotFor } from './ports.ts';
import type { Intent, TrafficRecord } from './state.ts';
import type { LaneId, PortHolder, PortKey, Traffic } from './traffic.ts';

export interface Parts {
  readonly record: TrafficRecord;
  readonly proxy: HttpProxy;
  /** Our nftables table. */
  readonly table: string;
  readonly laneCount: number;
  readonly httpPort: number;
  readonly runDirectory: string;
  readonly log: Log;
  onClose(): void;
}

/**
 * The traffic port over one proxy and one nftables table. Changes happen one after the other, each written to the
 * record first: a change whose application fails is carried out by the next `ensure()`.
 */
export function createTraffic(parts: Parts): Traffic {
  const { record, proxy, table, laneCount, httpPort, log } = parts;
  const inTurn = createTurns();
  const keeper = createKeeper({ socketPath: socketPathOf(parts.runDirectory), log, ensure: () => inTurn(ensure) });

  async function ensure(): Promise<void> {
    await proxy.ensure(record.read());
    await applyKernel();
    keeper.watch();
  }

  async function applyKernel(): Promise<void> {
    const { ports, tcpRoutes } = record.read();
    const targetInterfaces = await interfacesTo([...tcpRoutes.values()].flat());
    await applyTraffic({ table, httpPort, ports, tcpRoutes, targetInterfaces });
  }

  /** A proxy that died meanwhile is started again, with the change in it: it is in the record already. */
  async function applyProxy(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'proxy-unreachable') throw error;
      log.warn({}, 'the proxy does not answer: starting it again');
      await ensure();
    }
  }

  async function holder(port: PortKey): Promise<PortHolder | undefined> {
    if (record.read().ports.some((published) => isSamePort(published, port))) return undefined;
    const listener = await holderOf(port);
    if (listener !== undefined) return listener;
    const other = await otherTableWith(port, table);
    return other === undefined ? undefined : { address: `nftables table ${other}`, program: 'another bascule daemon' };
  }

  return {
    ensure: () => inTurn(ensure),
    observe: () => observe(parts),
    addInstance: (lane, instance) =>
      inTurn(async () => {
        assertLane(lane, laneCount);
        assertInstance(instance);
        const { name, address, port } = instance;
        const recorded = { lane, name, address, port, isDraining: false };
        record.putInstance(recorded);
        await applyProxy(() => proxy.addInstance(recorded));
      }),
    drainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = findInstance(record.read(), lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: true });
        await applyProxy(() => proxy.drainInstance(lane, name));
      }),
    undrainInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = findInstance(record.read(), lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: false });
        await applyProxy(() => proxy.undrainInstance(lane, name));
      }),
    async sessions(lanes) {
      if (lanes.length === 0) return new Map();
      return sessionsByInstance(
        parseStat(await proxy.api.ask(...lanes.map((lane) => `show stat ${lane} 4 -1`))),
        lanes,
      );
    },
    closeSessions: (lane, name) => inTurn(() => applyProxy(() => proxy.closeSessions(lane, name))),
    removeInstance: (lane, name) =>
      inTurn(async () => {
        const recorded = findInstance(record.read(), lane, name);
        if (recorded === undefined) return;
        record.putInstance({ ...recorded, isDraining: true });
        await applyProxy(async () => {
          if (!(await proxy.removeInstance(lane, name))) throw instanceBusy(lane, name);
        });
        record.removeInstance(lane, name);
      }),
    setRoute: (route, share) =>
      inTurn(async () => {
        assertRoute(route);
        assertShare(share, laneCount);
        record.putRoutes(new Map([[route, share]]));
        await applyProxy(() => proxy.setRoute(route, share));
      }),
    setRoutes: (shares) =>
      inTurn(async () => {
        for (const [route, share] of shares) {
          assertRoute(route);
          assertShare(share, laneCount);
        }
        record.putRoutes(shares);
        await applyProxy(() => proxy.replaceRoutes(record.read()));
      }),
    setPreview: async () => {},
    setRouteOptions: async () => {},
    onRequests: () => () => {},
    removeRoute: (route) =>
      inTurn(async () => {
        const { tcpRoutes } = record.read();
        record.removeRoute(route);
        await applyProxy(() => proxy.removeRoute(route));
        if (tcpRoutes.has(route)) await applyKernel();
      }),
    setTcpRoute: (route, targets) =>
      inTurn(async () => {
        assertRoute(route);
        targets.forEach(assertTarget);
        record.putTcpRoute(route, targets);
        await applyKernel();
      }),
    publishPort: (wanted) =>
      inTurn(async () => {
        const port = normalised(wanted);
        assertPortKey(port);
        assertRoute(port.route);
        const conflict = conflictOf(port, record.read().ports);
        if (conflict !== undefined) throw portPublished(port, conflict);
        const found = await holder(port);
        if (found !== undefined) throw portInUse(port, found);
        const recorded = record.read().ports;
        const slot = recorded.find((other) => isSamePort(other, port))?.slot ?? slotFor(port, recorded);
        record.putPort(slot === undefined ? port : { ...port, slot });
        await applyPorts();
      }),
    unpublishPort: (port) =>
      inTurn(async () => {
        record.removePort(normalised(port));
        await applyPorts();
      }),
    portHolder: (port) => holder(normalised(port)),
    async counters(lanes) {
      const wanted = lanes ?? usedLanes(record.read());
      // The order matters: see countersOf.
      const rows = parseStat(await proxy.api.ask(...statCommands(wanted)));
      const appErrors = parseTable(await proxy.api.ask('show table lane-errors'), 'gpc0');
      return countersOf(rows, appErrors, wanted);
    },
    async close() {
      keeper.stop();
      await inTurn(async () => {});
      parts.onClose();
    },
    stop: () =>
      inTurn(async () => {
        keeper.pause();
        record.clear();
        await removeTraffic(table);
        await proxy.stop();
      }),
  };

  async function applyPorts(): Promise<void> {
    await applyProxy(() => proxy.replacePorts(record.read().ports));
    await applyKernel();
  }
}

function findInstance(intent: Intent, lane: LaneId, name: string) {
  return intent.instances.find((instance) => instance.lane === lane && instance.name === name);
}

const EVERY_ADDRESS = new Set(['', '0.0.0.0', '::']);

function normalised<T extends PortKey>(port: T): T {
  if (port.hostAddress === undefined || !EVERY_ADDRESS.has(port.hostAddress)) return port;
  const { hostAddress: _, ...rest } = port;
  return rest as T;
}

/** Runs pieces of work one after the other; one that fails does not stop the next. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
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
