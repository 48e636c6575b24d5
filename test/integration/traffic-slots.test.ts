import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type LaneInstance, openTraffic, type RouteShare, type Traffic } from '../../src/delivery/traffic/index.ts';
import { createRuntimeApi } from '../../src/delivery/traffic/haproxy/runtime-api.ts';
import { SLOTS } from '../../src/delivery/traffic/slots.ts';
import type { UserError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { scopeOf } from '../../src/lib/scope.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { openWebSocketProbe } from '../support/probes.ts';
import { openTrafficScene, ROUTE, type TrafficScene, trafficSkip } from '../support/traffic-scene.ts';
import { waitFor } from '../support/wait.ts';

const LANE = 'lane-009';
const only = (lane: string): RouteShare => ({ stable: lane, candidate: null, weight: 0 });

describe('slots of a lane', { skip: await trafficSkip(), timeout: 540_000 }, () => {
  let scene: TrafficScene;
  before(async () => {
    scene = await openTrafficScene(71);
  });
  after(() => scene?.[Symbol.asyncDispose]());

  const instancesOf = async (lane: string): Promise<readonly LaneInstance[]> =>
    (await scene.traffic.observe()).lanes.find(({ id }) => id === lane)?.instances ?? [];
  const api = () => createRuntimeApi(join(scene.scope.runDirectory, 'haproxy/admin.sock'));
  const serversOf = async (lane: string): Promise<readonly string[]> => {
    const text = await api().ask(`show servers state ${lane}`);
    return text.split('\n').flatMap((line) => {
      const [, , , name = '', address, , state] = line.split(' ');
      const [isParked, isSlot] = [address === '127.0.0.1' && (Number(state) & 1) === 1, name.startsWith('_')];
      return name === '' || name === 'srv_id' || line.startsWith('#') || (isSlot && isParked) ? [] : [name];
    });
  };
  const leave = async (lane: string, name: string): Promise<void> => {
    await scene.traffic.drainInstance(lane, name);
    await scene.traffic.removeInstance(lane, name);
  };

  it('keep connections to their instances', async (t) => {
    await using counted = await startCounted('kept', '127.0.71.3');
    await scene.traffic.addInstance(LANE, counted.instance);
    await scene.traffic.setRoute(ROUTE, only(LANE));
    const answers = await askKept(scene.url, 2_000);
    t.diagnostic(`2,000 requests over 8 connections of clients: ${counted.accepted()} connections to the instance`);
    assert.deepEqual([...answers], [['kept', 2_000]]);
    assert.ok(counted.accepted() <= 40, `${counted.accepted()} connections`);
    await leave(LANE, 'kept');
    // As after `del server`: nothing leads there any more.
    await waitFor(() => counted.open() === 0, { timeoutMs: 2_000, what: 'its connections are closed' });
    assert.deepEqual(await instancesOf(LANE), []);
    assert.deepEqual(await serversOf(LANE), []);
  });

  it('are given again, and no connection of the last instance is used for the next', async () => {
    for (let count = 0; count < 3 * SLOTS.length; count++) {
      await using next = await startCounted(`next-${count}`, '127.0.71.4');
      await scene.traffic.addInstance(LANE, next.instance);
      await scene.traffic.setRoute(ROUTE, only(LANE));
      const load = askKept(scene.url, 300);
      assert.deepEqual([...(await load)], [[`next-${count}`, 300]]);
      await scene.traffic.setRoute(ROUTE, only('lane-000'));
      await leave(LANE, `next-${count}`);
      await waitFor(() => next.open() === 0, { timeoutMs: 2_000, what: 'its connections are closed' });
    }
  });

  it('wait for requests that run, whose connections are not kept for the next instance', async () => {
    await using slow = await startCounted('slow', '127.0.71.5', 1_000);
    const others = SLOTS.slice(1).map((_, index) => ({ ...slow.instance, name: `other-${index}` }));
    await scene.traffic.addInstance(LANE, slow.instance);
    await scene.traffic.setRoute(ROUTE, only(LANE));
    // Every other slot is taken: the next one gets the very slot that is being left.
    for (const other of others) await scene.traffic.addInstance(LANE, other);
    for (const { name } of others) await scene.traffic.drainInstance(LANE, name);
    const load = askKept(scene.url, 8);
    await waitFor(() => slow.open() > 4, { timeoutMs: 5_000, what: 'requests run' });
    await scene.traffic.setRoute(ROUTE, only('lane-000'));
    await scene.traffic.drainInstance(LANE, 'slow');
    await assert.rejects(scene.traffic.removeInstance(LANE, 'slow'), { code: 'instance-busy' });
    await waitFor(() => removed(scene.traffic, 'slow'), { timeoutMs: 5_000, what: 'slow is removed' });
    await waitFor(() => slow.open() === 0, { timeoutMs: 2_000, what: 'its connections are closed' });
    await using next = await startCounted('next', '127.0.71.6');
    await scene.traffic.addInstance(LANE, next.instance);
    assert.ok((await serversOf(LANE)).every((name) => name.startsWith('_')));
    await scene.traffic.setRoute(ROUTE, only(LANE));
    assert.deepEqual([...(await askKept(scene.url, 200))], [['next', 200]]);
    await load;
    for (const { name } of [...others, next.instance]) await leave(LANE, name);
  });

  it('are not all there is: more instances get servers of their own, under their names everywhere', async () => {
    const { traffic, blue, url } = scene;
    const names = Array.from({ length: SLOTS.length + 2 }, (_, index) => `many-${index}`);
    for (const name of names) await traffic.addInstance(LANE, { name, address: blue.address, port: blue.port });
    await traffic.setRoute(ROUTE, only(LANE));
    const instances = await waitFor(
      async () => {
        const all = await instancesOf(LANE);
        return all.every(({ state }) => state === 'up') ? all : undefined;
      },
      { timeoutMs: 5_000, what: 'all are up' },
    );
    assert.deepEqual(
      instances.map(({ name }) => name),
      names,
    );
    assert.deepEqual([...(await serversOf(LANE))].sort(), [...SLOTS, ...names.slice(-2)].sort());
    using socket = await openWebSocketProbe(url.replace('http', 'ws'));
    const sessions = (await traffic.sessions([LANE])).get(LANE);
    assert.deepEqual([...(sessions?.keys() ?? [])].sort(), names);
    assert.equal(
      [...(sessions?.values() ?? [])].reduce((sum, one) => sum + one, 0),
      1,
    );
    const [busy = ''] = [...(sessions ?? [])].find(([, count]) => count === 1) ?? [];
    await traffic.drainInstance(LANE, busy);
    await assert.rejects(traffic.removeInstance(LANE, busy), { code: 'instance-busy' });
    await traffic.closeSessions(LANE, busy);
    await waitFor(() => !socket.snapshot().isAlive, { timeoutMs: 5_000, what: 'the cut connection' });
    // A proxy that is started again has the same instances, and as many of them in slots as there are slots.
    await waitFor(() => removed(traffic, names[0] ?? ''), { timeoutMs: 5_000, what: 'the first is removed' });
    const { pid } = await traffic.observe();
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => (await traffic.observe().catch(() => undefined))?.pid !== pid, {
      timeoutMs: 10_000,
      what: 'another proxy',
    }).catch(() => {});
    await traffic.ensure();
    const left = names.slice(1);
    assert.deepEqual(
      (await instancesOf(LANE)).map(({ name }) => name),
      left,
    );
    assert.equal((await serversOf(LANE)).filter((name) => SLOTS.includes(name)).length, SLOTS.length);
    assert.equal((await instancesOf(LANE)).length, SLOTS.length + 1);
    // Behind our back: a slot leads elsewhere, another rests, a free one of another lane has somebody, one was added.
    await api().ask(`set server ${LANE}/_1 addr 127.0.71.99 port 9`);
    await api().ask(`set server ${LANE}/_2 state maint`);
    await api().ask(`set server lane-010/_3 addr ${blue.address} port 80; set server lane-010/_3 state ready`);
    await api().ask(`add server lane-010/stray ${blue.address}:80; enable server lane-010/stray`);
    await traffic.ensure();
    const repaired = await instancesOf(LANE);
    assert.ok(repaired.every(({ address }) => address === blue.address));
    // Also one that was drained before it could be removed stays so.
    assert.deepEqual(
      repaired.filter(({ state }) => state === 'draining').map(({ name }) => name),
      busy === names[0] ? [] : [busy],
    );
    assert.deepEqual(await serversOf('lane-010'), []);
    await traffic.setRoute(ROUTE, only('lane-000'));
    for (const name of left) await leave(LANE, name);
    assert.deepEqual(await serversOf(LANE), []);
  });

  it('are left by an instance that moves, without a request lost', async () => {
    const { traffic, url } = scene;
    await using here = await startCounted('here', '127.0.71.7');
    await using there = await startCounted('there', '127.0.71.8');
    await traffic.addInstance(LANE, { ...here.instance, name: 'mover' });
    await traffic.setRoute(ROUTE, only(LANE));
    await using load = await startLoad({ url, connections: 4, newConnectionShare: 0.1 });
    await waitFor(async () => (await load.snapshot()).requests > 100, { timeoutMs: 10_000, what: 'load' });
    await traffic.addInstance(LANE, { ...there.instance, name: 'mover' });
    assert.deepEqual([...(await askKept(url, 100))], [['there', 100]]);
    await waitFor(() => here.open() === 0, { timeoutMs: 2_000, what: 'its connections are closed' });
    assert.deepEqual(
      (await instancesOf(LANE)).map(({ name, port }) => [name, port]),
      [['mover', there.instance.port]],
    );
    const report = await load.stop();
    // The old address is nobody's any more: what ran there is cut, nothing else.
    assert.equal(report.lost - report.losses.truncated - report.losses.reset, 0, JSON.stringify(report.examples));
    await traffic.setRoute(ROUTE, only('lane-000'));
    await leave(LANE, 'mover');
  });

  it('are adopted, with instances and connections, by the next daemon', async () => {
    const scope = scopeOf(await mkdtemp(join(tmpdir(), 'bascule-traffic-')));
    const [port, { blue }] = [await freePort(), scene];
    const owner = fork(new URL('../support/traffic-owner.ts', import.meta.url), {
      env: { ...process.env, OWNER: JSON.stringify({ root: scope.root, port, address: blue.address, to: blue.port }) },
    });
    await once(owner, 'message');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const directory = join(scope.root, 'delivery/traffic');
    const heir = await openTraffic({ scope, directory, log: silentLog, laneCount: 32 });
    try {
      await heir.ensure();
      const { lanes } = await heir.observe();
      assert.deepEqual(
        lanes[0]?.instances.map(({ name }) => name),
        ['app'],
      );
      assert.deepEqual([...((await heir.sessions(['lane-000'])).get('lane-000')?.keys() ?? [])], ['app']);
      await heir.drainInstance('lane-000', 'app');
      await heir.removeInstance('lane-000', 'app');
      assert.deepEqual(
        (await heir.observe()).lanes.flatMap(({ instances }) => instances),
        [],
      );
    } finally {
      await heir.stop();
      await heir.close();
      await rm(scope.root, { recursive: true, force: true });
      await rm(scope.runDirectory, { recursive: true, force: true });
    }
  });
});

function removed(traffic: Traffic, name: string): Promise<boolean> {
  return traffic.removeInstance(LANE, name).then(
    () => true,
    (error: UserError) => {
      assert.equal(error.code, 'instance-busy');
      return false;
    },
  );
}

interface Counted extends AsyncDisposable {
  readonly instance: { readonly name: string; readonly address: string; readonly port: number };
  /** Connections since the start, and those that are open now. */
  accepted(): number;
  open(): number;
}

/** An application that says its name, keeps its connections for ever and counts those that were used for a request. */
async function startCounted(name: string, address: string, delayMs = 0): Promise<Counted> {
  const used = new Set<object>();
  const open = new Set<object>();
  const server = createServer((request, response) => {
    const { socket } = request;
    if (!used.has(socket)) socket.once('close', () => open.delete(socket));
    used.add(socket);
    open.add(socket);
    void delay(delayMs).then(() => response.end(name));
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not an IP listener');
  return {
    instance: { name, address, port: bound.port },
    accepted: () => used.size,
    open: () => open.size,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Answers and how often each came, over 8 kept connections. */
async function askKept(url: string, count: number): Promise<ReadonlyMap<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const answers = new Map<string, number>();
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (response) => {
        let text = '';
        response.on('data', (part) => (text += String(part)));
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });
  for (let left = count; left > 0; left -= 8) {
    const batch = await Promise.all(Array.from({ length: Math.min(8, left) }, ask));
    for (const answer of batch) answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  agent.destroy();
  return answers;
}
