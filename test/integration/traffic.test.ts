import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { openTraffic, type RouteShare, type Traffic } from '../../src/delivery/traffic/index.ts';
import type { UserError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { run, runOrThrow } from '../../src/lib/process.ts';
import { type Scope, scopeOf } from '../../src/lib/scope.ts';
import { type Backend, startBackend } from '../support/backend.ts';
import { freePort } from '../support/free-port.ts';
import { greet, isRunning, ownAddresses, startGreeter, tellProxy, text } from '../support/network-clients.ts';
import { ask } from '../support/traffic-scene.ts';
import { openLab } from '../support/traffic-lab.ts';
import { startLoad } from '../support/load.ts';
import { openEventStreamProbe, openWebSocketProbe } from '../support/probes.ts';
import { waitFor } from '../support/wait.ts';

/** Real HAProxy and nftables, in a scope of its own; the applications listen on loopback addresses. */

const hasTools = process.getuid?.() === 0 && (await has('haproxy', '-v')) && (await has('nft', '--version'));
const skip = hasTools ? false : 'needs root, haproxy and nft';

const ROUTE = 'shop/web/80';
const ONLY = (stable: string): RouteShare => ({ stable, candidate: null, weight: 0 });

describe('traffic', { skip, timeout: 540_000 }, () => {
  let scope: Scope;
  let traffic: Traffic;
  let blue: Backend;
  let green: Backend;
  let port: number;
  let url: string;

  before(async () => {
    scope = scopeOf(await mkdtemp(join(tmpdir(), 'bascule-traffic-')));
    traffic = await openIn(scope);
    await traffic.ensure();
    blue = await startBackend('blue', '127.0.61.1');
    green = await startBackend('green', '127.0.61.2');
    await traffic.addInstance('lane-000', { name: 'blue-1', address: blue.address, port: blue.port });
    await traffic.addInstance('lane-001', { name: 'green-1', address: green.address, port: green.port });
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    await traffic.publishPort({ port, protocol: 'http', route: ROUTE });
  });

  after(async () => {
    await traffic?.stop();
    await traffic?.close();
    await blue?.kill();
    await green?.kill();
    await rm(scope.root, { recursive: true, force: true });
    await rm(scope.runDirectory, { recursive: true, force: true });
  });

  it('serves a published port on the loopback and on own addresses, with the forwarding headers', async () => {
    const response = await fetch(`${url}echo`, { headers: { 'x-mine': '1' } });
    const { version, headers } = (await response.json()) as { version: string; headers: Record<string, string> };
    assert.equal(version, 'blue');
    assert.equal(headers['host'], `127.0.0.1:${port}`);
    assert.equal(headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers['x-forwarded-proto'], 'http');
    assert.equal(headers['x-forwarded-port'], String(port));
    assert.equal(headers['x-mine'], '1');
    assert.equal(await text(`http://127.0.77.7:${port}/`), 'blue');
    assert.equal(await text(`http://[::1]:${port}/`), 'blue');
    const sixth = JSON.parse(await text(`http://[::1]:${port}/echo`)) as { headers: Record<string, string> };
    assert.equal(sixth.headers['x-forwarded-port'], String(port));
    for (const address of await ownAddresses()) assert.equal(await text(`http://${address}:${port}/`), 'blue');
  });

  it('answers a port without a lane itself, in plain words', async () => {
    const empty = await freePort();
    await traffic.publishPort({ port: empty, protocol: 'http', route: 'shop/none/80' });
    const response = await fetch(`http://127.0.0.1:${empty}/`);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('x-bascule-error'), 'no-route');
    assert.match(await response.text(), new RegExp(`port ${empty}`));
    await traffic.unpublishPort({ port: empty, protocol: 'http' });
    await assert.rejects(text(`http://127.0.0.1:${empty}/`));
  });

  it('loses nothing over 200 switches, keeps the pid, and long connections live through them', async (t) => {
    const earlier = await traffic.observe();
    using socket = await openWebSocketProbe(`ws://127.0.0.1:${port}/`);
    using events = await openEventStreamProbe(`${url}events`);
    await using load = await startLoad({
      url,
      connections: 16,
      newConnectionShare: 0.2,
      version: { from: 'header', name: 'x-version' },
    });
    const times = await switchOften(traffic, 200, load);
    const report = await load.stop();
    t.diagnostic(`${report.requests} requests, ${report.requestsPerSecond}/s, p99 ${report.latencyMs.p99} ms`);
    t.diagnostic(`setRoute p50 ${times.p50} ms, p99 ${times.p99} ms`);
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.deepEqual(Object.keys(report.versions).sort(), ['blue', 'green']);
    for (const probe of [socket.close(), events.close()]) {
      assert.equal(probe.isAlive, true, JSON.stringify(probe));
      assert.equal(probe.gaps, 0);
    }
    assert.equal((await traffic.observe()).pid, earlier.pid);
  });

  it('loses nothing over 100 deployments: new instance, switch, drain, removal, end of the old one', async (t) => {
    const { pid } = await traffic.observe();
    let current = { lane: 'lane-000', name: 'd-0', backend: await startBackend('d-0', '127.0.63.1') };
    await traffic.addInstance('lane-010', addressOf('d-0', current.backend));
    current = { ...current, lane: 'lane-010' };
    await traffic.setRoute(ROUTE, ONLY('lane-010'));
    await using load = await startLoad({ url, connections: 8, newConnectionShare: 0.2 });
    let longestRemovalMs = 0;
    for (let count = 1; count <= 100; count++) {
      const name = `d-${count}`;
      const next = {
        lane: count % 2 === 0 ? 'lane-010' : 'lane-011',
        name,
        backend: await startBackend(name, '127.0.63.1'),
      };
      await traffic.addInstance(next.lane, addressOf(name, next.backend));
      await traffic.setRoute(ROUTE, ONLY(next.lane));
      await traffic.drainInstance(current.lane, current.name);
      const startedAt = performance.now();
      await waitFor(() => removed(current), { timeoutMs: 15_000, what: `${current.name} is removed` });
      longestRemovalMs = Math.max(longestRemovalMs, performance.now() - startedAt);
      await current.backend.kill();
      current = next;
    }
    const report = await load.stop();
    t.diagnostic(`${report.requests} requests; longest removal ${Math.round(longestRemovalMs)} ms`);
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.equal((await traffic.observe()).pid, pid);
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
    await traffic.drainInstance(current.lane, current.name);
    await waitFor(() => removed(current), { timeoutMs: 15_000, what: 'the last one is removed' });
    await current.backend.kill();

    function removed({ lane, name }: { lane: string; name: string }): Promise<boolean> {
      return traffic.removeInstance(lane, name).then(
        () => true,
        (error: UserError) => {
          assert.equal(error.code, 'instance-busy');
          return false;
        },
      );
    }
  });

  it('switches several routes at the same instant', async () => {
    await traffic.setRoutes(
      new Map([
        [ROUTE, ONLY('lane-001')],
        ['shop/other/80', ONLY('lane-000')],
      ]),
    );
    assert.equal(await text(url), 'green');
    const { routes } = await traffic.observe();
    assert.deepEqual(routes.get('shop/other/80'), ONLY('lane-000'));
    await traffic.removeRoute('shop/other/80');
    assert.equal((await traffic.observe()).routes.has('shop/other/80'), false);
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
  });

  it('splits by weight and keeps each client on its side while the weight grows', async () => {
    const buckets = Array.from({ length: 200 }, (_, index) => index * 50);
    const candidates = async (weight: number): Promise<readonly number[]> => {
      await traffic.setRoute(ROUTE, { stable: 'lane-000', candidate: 'lane-001', weight });
      const versions = await Promise.all(buckets.map((bucket) => text(url, { 'bascule-bucket': String(bucket) })));
      return buckets.filter((_, index) => versions[index] === 'green');
    };
    const quarter = await candidates(2_500);
    const half = await candidates(5_000);
    assert.deepEqual(
      quarter,
      buckets.filter((bucket) => bucket < 2_500),
    );
    assert.deepEqual(
      half,
      buckets.filter((bucket) => bucket < 5_000),
    );
    await traffic.setRoute(ROUTE, { stable: 'lane-000', candidate: 'lane-001', weight: 10_000 });
    const all = await fetch(url);
    assert.equal(await all.text(), 'green');
    assert.equal(all.headers.get('set-cookie'), null);
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
  });

  it('gives a new client a bucket once, and splits new clients as the weight says', async () => {
    await traffic.setRoute(ROUTE, { stable: 'lane-000', candidate: 'lane-001', weight: 3_000 });
    const fresh = {
      url,
      connections: 8,
      newConnectionShare: 0,
      version: { from: 'header', name: 'x-version' },
    } as const;
    const report = await (await startLoad({ ...fresh, maxRequests: 4_000 })).done;
    const share = (report.versions['green'] ?? 0) / report.requests;
    // 4,000 independent choices: five standard deviations are 0.036.
    assert.ok(share > 0.26 && share < 0.34, `share ${share}`);
    const sticky = await (await startLoad({ ...fresh, keepsCookies: true, maxRequests: 1_000 })).done;
    assert.equal(sticky.versionChanges, 0);
    const cookie = (await ask(url)).headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const second = await fetch(url, { headers: { cookie } });
    await second.text();
    assert.equal(second.headers.get('set-cookie'), null);
    assert.equal(await text(url, { 'bascule-bucket': '17' }), 'green');
    assert.equal(await text(url, { 'bascule-bucket': '9000' }), 'blue');
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
  });

  it('tells errors of the application from its own', async () => {
    const counters = async () => (await traffic.counters(['lane-000'])).lanes.get('lane-000');
    const earlier = await counters();
    assert.equal((await fetch(`${url}fail`)).status, 500);
    // On a connection of its own: on a kept one the proxy closes instead, as a server does that ends idle connections.
    const dropped = await ask(`${url}drop`, { method: 'POST', body: 'once' });
    assert.equal(dropped.status, 502);
    assert.equal(dropped.headers['x-bascule-error'], 'bad-response');
    assert.ok(earlier !== undefined);
    // A response is in the statistics when its stream has ended, a moment after the client has it.
    const later = await waitFor(
      async () => {
        const now = await counters();
        return now !== undefined && now.responses['5xx'] - earlier.responses['5xx'] >= 2 ? now : undefined;
      },
      { timeoutMs: 5_000, what: 'two responses are counted' },
    );
    assert.equal(later.appErrors - earlier.appErrors, 1);
    assert.equal(later.proxyErrors - earlier.proxyErrors, 1);
    assert.equal(later.responses['5xx'] - earlier.responses['5xx'], 2);
  });

  it('passes a large upload on while it comes', async () => {
    const bytes = 32 * 1024 * 1024;
    const response = await fetch(`${url}upload`, { method: 'POST', body: new Uint8Array(bytes) });
    assert.equal(await response.text(), String(bytes));
  });

  it('sends nothing more to an instance that died, and loses no request that can be sent elsewhere', async () => {
    await using spare = await startBackend('blue', '127.0.61.3');
    await traffic.addInstance('lane-000', { name: 'blue-2', address: spare.address, port: spare.port });
    await using load = await startLoad({ url, connections: 8, newConnectionShare: 0.2 });
    await waitFor(async () => (await load.snapshot()).requests > 200, { timeoutMs: 10_000, what: 'load' });
    await spare.kill();
    const isDown = async (): Promise<boolean> => (await stateOf(traffic, 'lane-000', 'blue-2')) === 'down';
    await waitFor(isDown, { timeoutMs: 10_000, what: 'the dead instance is seen as down' });
    const report = await load.stop();
    // Whoever was in the middle of a response when it died is lost with it; nobody else.
    const others = report.lost - report.losses.truncated - report.losses.reset;
    assert.equal(others, 0, JSON.stringify(report.examples));
    await traffic.drainInstance('lane-000', 'blue-2');
    await traffic.removeInstance('lane-000', 'blue-2');
    assert.equal(await stateOf(traffic, 'lane-000', 'blue-2'), undefined);
  });

  it('follows an instance that comes back at another address, and takes a drained one in again', async () => {
    const lane = 'lane-003';
    await traffic.addInstance(lane, addressOf('mover', blue));
    await traffic.setRoute(ROUTE, ONLY(lane));
    assert.equal(await text(url), 'blue');
    await traffic.addInstance(lane, addressOf('mover', green));
    await traffic.addInstance(lane, addressOf('mover', green));
    assert.equal(await text(url), 'green');
    await traffic.drainInstance(lane, 'mover');
    assert.equal(await stateOf(traffic, lane, 'mover'), 'draining');
    await traffic.addInstance(lane, addressOf('mover', green));
    assert.equal(await stateOf(traffic, lane, 'mover'), 'up');
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
    await traffic.drainInstance(lane, 'mover');
    await traffic.removeInstance(lane, 'mover');
  });

  it('drains: refuses to remove a busy instance, removes it when the last connection has ended', async () => {
    await using old = await startBackend('old', '127.0.61.4');
    await traffic.addInstance('lane-002', { name: 'old-1', address: old.address, port: old.port });
    await traffic.setRoute(ROUTE, ONLY('lane-002'));
    using socket = await openWebSocketProbe(`ws://127.0.0.1:${port}/`);
    await traffic.setRoute(ROUTE, ONLY('lane-000'));
    await traffic.drainInstance('lane-002', 'old-1');
    await assert.rejects(traffic.removeInstance('lane-002', 'old-1'), hasCode('instance-busy'));
    const lane = (await traffic.observe()).lanes.find(({ id }) => id === 'lane-002');
    assert.equal(lane?.instances[0]?.state, 'draining');
    assert.equal(lane?.sessions, 1);
    assert.equal(socket.snapshot().isAlive, true);
    await traffic.closeSessions('lane-002', 'old-1');
    await waitFor(() => !socket.snapshot().isAlive, { timeoutMs: 5_000, what: 'the cut connection' });
    await traffic.removeInstance('lane-002', 'old-1');
    assert.equal(
      (await traffic.observe()).lanes.some(({ id }) => id === 'lane-002'),
      false,
    );
    await old.kill();
  });

  it('refuses a port that another program listens on, and one that another route has', async () => {
    const holder = createTcpServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const taken = (holder.address() as { port: number }).port;
    const wanted = { port: taken, protocol: 'http', route: ROUTE } as const;
    await assert.rejects(traffic.publishPort(wanted), (error: UserError) => {
      assert.equal(error.code, 'port-in-use');
      assert.equal(error.kind, 'conflict');
      assert.match(error.message, new RegExp(`port ${taken}/tcp .*pid ${process.pid}`));
      return true;
    });
    assert.equal((await traffic.portHolder(wanted))?.pid, process.pid);
    holder.close();
    await assert.rejects(
      traffic.publishPort({ port, protocol: 'tcp', route: 'shop/db/5432' }),
      hasCode('port-published'),
    );
    await traffic.publishPort({ port, protocol: 'http', route: ROUTE });
  });

  it('publishes one port on two addresses for two routes', async () => {
    const shared = await freePort();
    await traffic.setRoute('shop/admin/80', ONLY('lane-001'));
    await traffic.publishPort({ port: shared, protocol: 'http', route: 'shop/admin/80', hostAddress: '127.0.99.1' });
    await traffic.publishPort({ port: shared, protocol: 'http', route: ROUTE, hostAddress: '127.0.99.2' });
    assert.equal(await text(`http://127.0.99.1:${shared}/`), 'green');
    assert.equal(await text(`http://127.0.99.2:${shared}/`), 'blue');
    await assert.rejects(fetch(`http://127.0.99.3:${shared}/`));
    await traffic.unpublishPort({ port: shared, protocol: 'http', hostAddress: '127.0.99.1' });
    await traffic.unpublishPort({ port: shared, protocol: 'http', hostAddress: '127.0.99.2' });
    await traffic.removeRoute('shop/admin/80');
  });

  it('publishes TCP: new connections take turns, established ones stay after a change', async () => {
    const one = await startGreeter('one', '127.0.62.1');
    const two = await startGreeter('two', '127.0.62.2');
    const tcpPort = await freePort();
    await traffic.setTcpRoute('shop/db/5432', [one.target]);
    await traffic.publishPort({ port: tcpPort, protocol: 'tcp', route: 'shop/db/5432' });
    const kept = await greet(tcpPort);
    assert.equal(kept.greeting, 'one');
    await traffic.setTcpRoute('shop/db/5432', [one.target, two.target]);
    const greetings = await Promise.all(Array.from({ length: 8 }, () => greet(tcpPort)));
    assert.deepEqual(new Set(greetings.map(({ greeting }) => greeting)), new Set(['one', 'two']));
    await traffic.setTcpRoute('shop/db/5432', [two.target]);
    const last = await greet(tcpPort);
    assert.equal(last.greeting, 'two');
    assert.equal(await kept.ask('still there?'), 'one: still there?');
    await traffic.unpublishPort({ port: tcpPort, protocol: 'tcp' });
    await traffic.removeRoute('shop/db/5432');
    await assert.rejects(greet(tcpPort));
    for (const { close } of [...greetings, kept, last, one, two]) close();
  });

  it('publishes TCP of another network: from this host, from outside, and from a neighbour of the target', async () => {
    await using lab = await openLab();
    const tcpPort = await freePort();
    await traffic.setTcpRoute('lab/db/7000', [{ address: lab.target, port: 7000 }]);
    await traffic.publishPort({ port: tcpPort, protocol: 'tcp', route: 'lab/db/7000' });
    const here = await greet(tcpPort);
    assert.equal(here.greeting, 'from the lab');
    here.close();
    assert.equal(await lab.askFromOutside(tcpPort), 'from the lab');
    assert.equal(await lab.askFromNeighbour(tcpPort), 'from the lab');
    await traffic.unpublishPort({ port: tcpPort, protocol: 'tcp' });
    await traffic.removeRoute('lab/db/7000');
  });

  it('is reached from outside by published ports only, not by the own ports of the proxy', async () => {
    await using lab = await openLab();
    const config = readFileSync(join(scope.runDirectory, 'haproxy/haproxy.cfg'), 'utf8');
    const door = Number(/bind 0\.0\.0\.0:(\d+)$/m.exec(config)?.[1]);
    assert.ok(door > 60_000);
    for (const family of [4, 6] as const) assert.match(await lab.getFromOutside(port, family), /^HTTP\/1\.[01] 200/);
    assert.equal(await lab.getFromOutside(door), '');
    const { slot } = /redirect to :(?<slot>\d+)/.exec(await ipv6RedirectOf(scope, port))?.groups ?? {};
    assert.equal(await lab.getFromOutside(Number(slot), 6), '');
    // This machine may.
    assert.match(await text(`http://127.0.0.1:${door}/`), /Nothing is deployed behind port/);
    const others = (await ownAddresses()).map((address) => text(`http://${address}:${port}/`));
    assert.ok((await Promise.all(others)).every((version) => version === 'blue'));
    // Who closes the published port before the redirect has closed it.
    const table = `closed_${scope.suffix}`;
    const [hook, drop] = ['type filter hook prerouting priority -300;', `tcp dport ${port} drop`];
    const close = `add table inet ${table}\nadd chain inet ${table} c { ${hook} }\nadd rule inet ${table} c ${drop}\n`;
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await run(['nft', 'delete', 'table', 'inet', table])));
    await runOrThrow(['nft', '-f', '-'], { input: close });
    assert.equal(await lab.getFromOutside(port), '');
  });

  it('is adopted after its owner was killed, with every request answered meanwhile', async () => {
    const otherScope = scopeOf(await mkdtemp(join(tmpdir(), 'bascule-traffic-')));
    const otherPort = await freePort();
    const owner = fork(new URL('../support/traffic-owner.ts', import.meta.url), {
      env: {
        ...process.env,
        OWNER: JSON.stringify({ root: otherScope.root, port: otherPort, address: blue.address, to: blue.port }),
      },
    });
    await once(owner, 'message');
    await using load = await startLoad({
      url: `http://127.0.0.1:${otherPort}/`,
      connections: 4,
      newConnectionShare: 0.3,
    });
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const pid = Number(readFileSync(join(otherScope.runDirectory, 'haproxy/haproxy.pid'), 'utf8'));
    const heir = await openIn(otherScope);
    try {
      await heir.ensure();
      const state = await heir.observe();
      assert.equal(state.pid, pid);
      assert.equal(state.lanes[0]?.instances[0]?.name, 'app');
      assert.equal((await load.stop()).lost, 0);
    } finally {
      await load.stop();
      await heir.stop();
      await heir.close();
      await rm(otherScope.root, { recursive: true, force: true });
      await rm(otherScope.runDirectory, { recursive: true, force: true });
    }
    assert.equal(await isRunning(pid), false);
    assert.equal((await run(['nft', 'list', 'table', 'inet', `bascule_traffic_${otherScope.suffix}`])).exitCode, 1);
  });

  it('comes back by itself with the same routes when the proxy is killed', async () => {
    const { pid, routes, lanes } = await traffic.observe();
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => (await text(url).catch(() => '')) === 'blue', { timeoutMs: 10_000, what: 'the proxy' });
    const state = await traffic.observe();
    assert.notEqual(state.pid, pid);
    assert.deepEqual(state.routes, routes);
    assert.deepEqual(namesOf(state), namesOf({ lanes }));
  });

  it('repairs what was changed behind its back', async () => {
    const socket = join(scope.runDirectory, 'haproxy/admin.sock');
    await tellProxy(socket, `clear map ${join(scope.runDirectory, 'haproxy/routes.map')}`);
    await tellProxy(socket, 'set server lane-000/blue-1 state maint; del server lane-001/green-1');
    await run(['nft', 'delete', 'table', 'inet', `bascule_traffic_${scope.suffix}`]);
    await traffic.ensure();
    assert.equal(await text(url), 'blue');
    const names = namesOf(await traffic.observe());
    assert.deepEqual(names, ['lane-000/blue-1', 'lane-001/green-1']);
  });

  it('is replaced without losing a request when its configuration changes', async () => {
    const earlier = (await traffic.observe()).pid;
    using socket = await openWebSocketProbe(`ws://127.0.0.1:${port}/`);
    await using load = await startLoad({ url, connections: 8, newConnectionShare: 0.3 });
    await traffic.close();
    traffic = await openIn(scope, 40);
    await traffic.ensure();
    await waitFor(async () => (await load.snapshot()).requests > 500, { timeoutMs: 10_000, what: 'load' });
    const report = await load.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.equal(socket.close().isAlive, true);
    const state = await traffic.observe();
    assert.notEqual(state.pid, earlier);
    assert.equal(state.laneCount, 40);
    await waitFor(async () => !(await isRunning(earlier)), { timeoutMs: 20_000, what: 'the old process ends' });
  });
});

function addressOf(name: string, { address, port }: Backend) {
  return { name, address, port };
}

function openIn(scope: Scope, laneCount = 32): Promise<Traffic> {
  return openTraffic({ scope, directory: join(scope.root, 'delivery/traffic'), log: silentLog, laneCount });
}

async function has(program: string, flag: string): Promise<boolean> {
  return run([program, flag]).then(
    () => true,
    () => false,
  );
}

async function switchOften(
  traffic: Traffic,
  count: number,
  load: { snapshot(): Promise<{ requests: number }> },
): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const seen = (await load.snapshot()).requests;
    const startedAt = performance.now();
    await traffic.setRoute(ROUTE, ONLY(index % 2 === 0 ? 'lane-001' : 'lane-000'));
    times.push(performance.now() - startedAt);
    // Every switch is seen by requests before the next one comes.
    await waitFor(async () => (await load.snapshot()).requests > seen + 20, {
      timeoutMs: 5_000,
      what: 'load',
      intervalMs: 2,
    });
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((times[Math.floor(count * share)] ?? 0) * 100) / 100;
  return { p50: at(0.5), p99: at(0.99) };
}

async function stateOf(traffic: Traffic, lane: string, name: string): Promise<string | undefined> {
  const { lanes } = await traffic.observe();
  return lanes.find(({ id }) => id === lane)?.instances.find((instance) => instance.name === name)?.state;
}

function namesOf({ lanes }: { lanes: Awaited<ReturnType<Traffic['observe']>>['lanes'] }): readonly string[] {
  return lanes.flatMap(({ id, instances }) => instances.map(({ name }) => `${id}/${name}`));
}

function hasCode(code: string): (error: UserError) => boolean {
  return (error) => error.code === code;
}

async function ipv6RedirectOf({ suffix }: Scope, port: number): Promise<string> {
  const { stdout } = await run(['nft', 'list', 'chain', 'inet', `bascule_traffic_${suffix}`, 'publish']);
  return stdout.split('\n').find((line) => line.includes('ipv6') && line.includes(`dport ${port} `)) ?? '';
}
