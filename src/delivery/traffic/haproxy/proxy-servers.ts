import { setTimeout as delay } from 'node:timers/promises';
import { isSlot, type ServerKey } from '../slots.ts';
import type { RecordedInstance } from '../state.ts';
import {
  addServer,
  closeServerSessions,
  deleteServer,
  drainServer,
  moveServer,
  parkServer,
  undrainServer,
} from './commands.ts';
import { numberIn, parseServersState, parseStat } from './replies.ts';
import type { RuntimeApi } from './runtime-api.ts';
import type { ProxyVersion } from './version.ts';

/** Instances as servers of the running proxy: in slots, or as servers of their own. */
export interface ProxyServers {
  add(instance: RecordedInstance): Promise<void>;
  /** Puts an instance into its slot, draining or not, whoever was in it. */
  fill(instance: RecordedInstance): Promise<void>;
  drain(at: ServerKey): Promise<void>;
  undrain(instance: RecordedInstance): Promise<void>;
  closeSessions(at: ServerKey): Promise<void>;
  /** False while sessions run. True: nobody has this server, and no connection of it is left. */
  remove(at: ServerKey): Promise<boolean>;
  /** Cuts what still runs. */
  drop(at: ServerKey): Promise<void>;
}

const IDLE_CONNECTIONS_MS = 10_000;

export function createProxyServers(api: RuntimeApi, version: ProxyVersion): ProxyServers {
  const closeSessions = async (at: ServerKey): Promise<void> => {
    await api.tell(closeServerSessions(at), ['absent']);
  };
  const undrain = async (instance: RecordedInstance): Promise<void> => {
    await api.tell([...moveServer(instance), ...undrainServer(instance)], ['absent']);
  };
  const connections = async ({ lane, server }: ServerKey): Promise<Connections> => {
    const rows = parseStat(await api.ask(`show stat ${lane} 4 -1`));
    const row = rows.find(({ svname }) => svname === server);
    const [used, idle] = [numberIn(row, 'used_conn_cur'), numberIn(row, 'idle_conn_cur')];
    return { sessions: numberIn(row, 'scur'), open: used + idle + numberIn(row, 'safe_conn_cur') };
  };

  /**
   * Running sessions are not waited for. Their connections become idle ones of the server though it is in maintenance,
   * and would be used for whoever comes next: so a slot is empty only when a look after all of them ended says so.
   */
  const park = async (at: ServerKey): Promise<boolean> => {
    await api.tell(drainServer(at));
    if ((await connections(at)).sessions > 0) return false;
    await api.tell(parkServer(at));
    const { sessions, open } = await connections(at);
    return sessions === 0 && open === 0;
  };

  /** Deletion waits for idle connections too, of which HAProxy closes a half each second (`pool-purge-delay`). */
  const remove = async (at: ServerKey): Promise<boolean> => {
    const deadline = performance.now() + IDLE_CONNECTIONS_MS;
    for (;;) {
      if (isSlot(at.server) ? await park(at) : await deleted(at)) return true;
      if (performance.now() > deadline || (await connections(at)).sessions > 0) return false;
      await delay(isSlot(at.server) ? 10 : 50);
    }
  };
  const deleted = async (at: ServerKey): Promise<boolean> => {
    const reply = await api.tell([...drainServer(at), ...deleteServer(version, at)], ['absent', 'busy']);
    return reply.verdict !== 'busy';
  };

  const drop = async (at: ServerKey): Promise<void> => {
    const deadline = performance.now() + IDLE_CONNECTIONS_MS;
    do {
      await api.tell([...drainServer(at), ...closeServerSessions(at)], ['absent']);
      if (await remove(at)) return;
      await delay(10);
    } while (performance.now() < deadline);
    throw new Error(`server ${at.lane}/${at.server} of the proxy does not become empty`);
  };

  const fill = async (instance: RecordedInstance): Promise<void> => {
    await drop(instance);
    const state = instance.isDraining ? drainServer(instance) : undrainServer(instance);
    await api.tell([...moveServer(instance), ...state]);
  };

  return {
    async add(instance) {
      if (isSlot(instance.server)) return (await isThere(api, instance)) ? undrain(instance) : fill(instance);
      const reply = await api.tell(addServer(version, instance), ['exists']);
      if (reply.verdict === 'exists') await undrain(instance);
    },
    fill,
    async drain(at) {
      await api.tell(drainServer(at), ['absent']);
    },
    undrain,
    closeSessions,
    remove,
    drop,
  };
}

interface Connections {
  readonly sessions: number;
  /** To the server, in use or idle. */
  readonly open: number;
}

async function isThere(api: RuntimeApi, { lane, server, address, port }: RecordedInstance): Promise<boolean> {
  const live = parseServersState(await api.ask(`show servers state ${lane}`)).find((each) => each.server === server);
  return live?.address === address && live.port === port;
}
