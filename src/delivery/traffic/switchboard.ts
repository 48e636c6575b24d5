import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Hands } from './hands.ts';
import { countersOf } from './haproxy/counters.ts';
import type { HttpProxy } from './haproxy/proxy.ts';
import { socketPathOf } from './haproxy/render-haproxy.ts';
import { parseStat, parseTable } from './haproxy/replies.ts';
import { instanceChanges } from './instances.ts';
import { createKeeper } from './keeper.ts';
import type { CertificateStore } from './certificate-store.ts';
import { certificateChanges } from './certificates.ts';
import { applyTraffic, interfacesTo, readTraffic, removeTraffic } from './nft/kernel.ts';
import { observe, statCommands, usedLanes } from './observe.ts';
import type { TrafficKeys } from './keys.ts';
import type { Doors } from './ports.ts';
import { portChanges } from './publish.ts';
import type { Requests } from './requests.ts';
import { routeChanges } from './routes.ts';
import type { TrafficRecord } from './state.ts';
import { timed } from './moments.ts';
import type { Moved, Traffic } from './traffic.ts';
import { watchKernel } from './watch-kernel.ts';

export interface Parts {
  readonly record: TrafficRecord;
  readonly certificates: CertificateStore;
  readonly proxy: HttpProxy;
  readonly requests: Requests;
  /** Our nftables table. */
  readonly table: string;
  readonly laneCount: number;
  readonly doors: Doors;
  readonly keys: TrafficKeys;
  readonly runDirectory: string;
  readonly log: Log;
  onClose(): void;
}

/**
 * The traffic port over one proxy and one nftables table. Changes happen one after the other, each written to the
 * record first: a change whose application fails is carried out by the next `ensure()`.
 */
export function createTraffic(parts: Parts): Traffic {
  const { record, proxy, requests, table, laneCount, doors, certificates, log } = parts;
  const inTurn = createTurns();
  const keeper = createKeeper({ socketPath: socketPathOf(parts.runDirectory), log, ensure: () => inTurn(ensure) });
  const kernelWatch = watchKernel({ log, repair: () => inTurn(repairKernel) });
  let rules: string | undefined;

  async function ensure(): Promise<void> {
    await proxy.ensure(record.read(), () => record.settleInstances());
    await applyKernel();
    keeper.watch();
    kernelWatch.start();
    requests.follow();
  }

  async function applyKernel(): Promise<Moved> {
    const { ports, tcpRoutes } = record.read();
    const targetInterfaces = await interfacesTo([...tcpRoutes.values()].flat());
    const moved = await timed(() => applyTraffic({ table, ...doors, ports, tcpRoutes, targetInterfaces }));
    rules = await readTraffic(table);
    return moved;
  }

  async function repairKernel(): Promise<boolean> {
    // Asked twice where there was no answer: somebody may just be changing other tables.
    const live = (await readTraffic(table)) ?? (await readTraffic(table));
    if (live === rules) return false;
    await applyKernel();
    return true;
  }

  async function applyProxy<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'proxy-unreachable') throw error;
      log.warn({}, 'the proxy does not answer: starting it again');
      await ensure();
      return undefined;
    }
  }

  const hands: Hands = { record, proxy, laneCount, table, inTurn, applyProxy, applyKernel };
  return {
    ...instanceChanges(hands),
    ...routeChanges(hands),
    ...portChanges(hands),
    ...certificateChanges(hands, certificates),
    ensure: () => inTurn(ensure),
    observe: () => observe(parts),
    onRequests: (listener) => requests.subscribe(listener),
    probeToken: () => parts.keys.probeToken,
    async counters(lanes) {
      const wanted = lanes ?? usedLanes(record.read());
      // The order matters: see countersOf.
      const rows = parseStat(await proxy.api.ask(...statCommands(wanted)));
      const appErrors = parseTable(await proxy.api.ask('show table lane-errors'), 'gpc0');
      return { ...countersOf(rows, appErrors, wanted), samples: requests.counts() };
    },
    async close() {
      keeper.stop();
      kernelWatch.pause();
      await inTurn(async () => {});
      await requests.stop();
      parts.onClose();
    },
    stop: () =>
      inTurn(async () => {
        keeper.pause();
        kernelWatch.pause();
        await requests.stop();
        record.clear();
        await certificates.clear();
        await removeTraffic(table);
        await proxy.stop();
      }),
  };
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
