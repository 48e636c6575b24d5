import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../../src/lib/process.ts';
import { freePort } from '../support/free-port.ts';
import { greet, startGreeter } from '../support/network-clients.ts';
import { ask, BLUE, BOTH, openTrafficScene, ROUTE, type TrafficScene, trafficSkip } from '../support/traffic-scene.ts';
import { waitFor } from '../support/wait.ts';

const CONNECTIONS_PER_CLIENT = 20;

describe('limits and protocols', { skip: await trafficSkip(), timeout: 540_000 }, () => {
  let scene: TrafficScene;
  let slow: Promise<{ text: string; afterMs: number }>;
  before(async () => {
    scene = await openTrafficScene(66, { connectionsPerClient: CONNECTIONS_PER_CLIENT });
  });
  after(() => scene?.[Symbol.asyncDispose]());

  it('speak HTTP/2 to applications that do, trailers included, as gRPC needs it', async () => {
    const { traffic, port } = scene;
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'x-path': String(headers[':path']) },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    });
    server.listen(0, '127.0.66.3');
    await once(server, 'listening');
    const { port: to } = server.address() as { port: number };
    await traffic.addInstance('lane-002', { name: 'grpc', address: '127.0.66.3', port: to, protocol: 'h2' });
    await traffic.setRoute(ROUTE, { stable: 'lane-002', candidate: null, weight: 0 });
    const session = await openHttp2(port);
    const answer = await session.ask(
      { ':method': 'POST', ':path': '/a.B/C', te: 'trailers', 'content-type': 'application/grpc' },
      'hello',
    );
    assert.deepEqual([answer.status, answer.text, answer.trailers['grpc-status']], [200, 'hello', '0']);
    assert.equal(answer.headers['x-path'], '/a.B/C');
    session.close();
    // Kept when the proxy starts anew, and changed where the application changes.
    process.kill((await traffic.observe()).pid, 'SIGKILL');
    await traffic.ensure();
    assert.equal((await ask(scene.url, { method: 'POST', body: 'again' })).text, 'again');
    await traffic.addInstance('lane-002', { name: 'grpc', address: scene.blue.address, port: scene.blue.port });
    assert.equal((await ask(scene.url)).text, 'blue');
    await traffic.setRoute(ROUTE, BLUE);
    await traffic.drainInstance('lane-002', 'grpc');
    await traffic.removeInstance('lane-002', 'grpc');
    server.close();
    // This proxy lives as long as the tests: a slow client may begin.
    slow = slowHead(port);
  });

  it('answer 413 to longer bodies before the application sees them, and let shorter ones pass', async () => {
    const { traffic, url } = scene;
    await traffic.setRouteOptions(ROUTE, { maxBodyBytes: 20_000 });
    const upload = (body: string | readonly string[]) => ask(`${url}upload`, { method: 'POST', body });
    assert.equal((await upload('x'.repeat(20_000))).text, '20000');
    const long = await upload('x'.repeat(20_001));
    assert.equal(long.status, 413);
    assert.equal(long.headers['x-bascule-error'], 'body-too-long');
    assert.equal((await upload('')).text, '0');
    assert.equal((await ask(url)).text, 'blue');
    // Of unknown length: short ones pass, nothing long ever does.
    assert.equal((await upload(['ab', 'c'])).text, '3');
    assert.equal((await upload(['x'.repeat(8_000)])).text, '8000');
    assert.ok([411, 413].includes((await upload(['x'.repeat(12_000)])).status));
    const unknown = await upload(Array.from({ length: 10 }, () => 'x'.repeat(4_096)));
    assert.ok([411, 413].includes(unknown.status), String(unknown.status));
    const crafted = { 'x-filler': 'f'.repeat(12_000) };
    const hidden = await ask(`${url}upload`, {
      method: 'POST',
      headers: crafted,
      body: ['x'.repeat(2_000), 'y'.repeat(30_000)],
    });
    assert.equal(hidden.status, 411);
    await traffic.setRouteOptions(ROUTE, { maxBodyBytes: 100 });
    assert.equal((await upload(['x'.repeat(101)])).status, 413);
    const session = await openHttp2(scene.port);
    assert.equal((await session.ask({ ':method': 'POST', ':path': '/upload' }, 'x'.repeat(100))).text, '100');
    assert.equal((await session.ask({ ':method': 'POST', ':path': '/upload' }, 'x'.repeat(101))).status, 413);
    session.close();
    await traffic.setRouteOptions(ROUTE, {});
    assert.equal((await upload('x'.repeat(50_000))).text, '50000');
    assert.equal((await upload(['x'.repeat(50_000)])).text, '50000');
  });

  it('take heads of 14 KB and refuse longer ones', async () => {
    const { url } = scene;
    assert.equal((await ask(url, { headers: { 'x-long': 'x'.repeat(14_000) } })).status, 200);
    assert.equal((await ask(url, { headers: { 'x-long': 'x'.repeat(15_500) } })).status, 400);
  });

  it('let an upload pass that comes slowly but surely', async () => {
    const socket = connect(scene.port, '127.0.0.1');
    socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\nConnection: close\r\n\r\n');
    for (let count = 0; count < 30; count++) {
      socket.write('x');
      await delay(50);
    }
    assert.match(await allOf(socket), /\r\n\r\n30$|\r\n30\r\n/);
  });

  it('hold back connections of one public address, but not those of this machine and private networks', async () => {
    const { port } = scene;
    const address = '192.0.2.66';
    await using stack = new AsyncDisposableStack();
    await run(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    stack.defer(() => void run(['ip', 'address', 'delete', `${address}/32`, 'dev', 'lo']));
    const openFrom = async (host: string, count: number): Promise<readonly Socket[]> => {
      const sockets = Array.from({ length: count }, () => connect({ port, host, localAddress: host }));
      for (const socket of sockets) stack.defer(() => void socket.destroy());
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      for (const socket of sockets) assert.match(await answerOn(socket), /^HTTP\/1\.1 200/);
      return sockets;
    };
    const isServed = () =>
      ask(`http://${address}:${port}/`, { from: address }).then(
        ({ status }) => status === 200,
        () => false,
      );
    const [first] = await openFrom(address, CONNECTIONS_PER_CLIENT);
    assert.equal(await isServed(), false);
    first?.destroy();
    await waitFor(isServed, { timeoutMs: 5_000, what: 'a place is free again' });
    await openFrom('127.0.0.1', 3 * CONNECTIONS_PER_CLIENT);
  });

  it('count all addresses of one IPv6 network as one client', async () => {
    const { port } = scene;
    const [one, two, elsewhere] = ['2001:db8:66::1', '2001:db8:66::2:1', '2001:db8:66:1::1'] as const;
    await using stack = new AsyncDisposableStack();
    for (const address of [one, two, elsewhere]) {
      await run(['ip', 'address', 'add', `${address}/128`, 'dev', 'lo']);
      stack.defer(() => void run(['ip', 'address', 'delete', `${address}/128`, 'dev', 'lo']));
    }
    const open = async (from: string): Promise<boolean> => {
      const socket = connect({ port, host: one, localAddress: from });
      stack.defer(() => void socket.destroy());
      return answerOn(socket).then(
        (text) => text.startsWith('HTTP/1.1 200'),
        () => false,
      );
    };
    for (let count = 0; count < CONNECTIONS_PER_CLIENT; count++) assert.ok(await open(count % 2 === 0 ? one : two));
    assert.equal(await open(two), false);
    assert.equal(await open(elsewhere), true);
  });

  it('believe what was forwarded by this machine and private networks only', async () => {
    const address = '192.0.2.67';
    await using stack = new AsyncDisposableStack();
    await run(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    stack.defer(() => void run(['ip', 'address', 'delete', `${address}/32`, 'dev', 'lo']));
    const said = {
      'X-Forwarded-For': '198.51.100.1, 198.51.100.2',
      'x-forwarded-proto': 'https',
      'X-FORWARDED-HOST': 'shop.example.org',
      'X-Forwarded-User': 'root',
    };
    const seenFrom = async (from: string, to: string, headers: Record<string, string> = said) => {
      const { text } = await ask(`http://${to}:${scene.port}/echo`, { from, headers });
      const seen = (JSON.parse(text) as { headers: Record<string, string> }).headers;
      return ['for', 'proto', 'host', 'port', 'user'].map((word) => seen[`x-forwarded-${word}`]);
    };
    const port = String(scene.port);
    const own = (host: string) => [host, 'http', `${host}:${port}`, port, undefined];
    assert.deepEqual(await seenFrom('127.0.0.1', '127.0.0.1'), [
      '198.51.100.1, 198.51.100.2, 127.0.0.1',
      'https',
      'shop.example.org',
      port,
      'root',
    ]);
    assert.deepEqual(await seenFrom('127.0.0.1', '127.0.0.1', {}), own('127.0.0.1'));
    assert.deepEqual(await seenFrom(address, address), own(address));
    assert.deepEqual(await seenFrom(address, address, {}), own(address));
  });

  it('speak HTTP/2 without TLS on the same port, by its preface', async () => {
    const session = await openHttp2(scene.port);
    const answers = await Promise.all(Array.from({ length: 20 }, () => session.ask({ ':path': '/' })));
    assert.ok(answers.every(({ status, text }) => status === 200 && text === 'blue'));
    const seen = JSON.parse((await session.ask({ ':path': '/echo' })).text) as { headers: Record<string, string> };
    assert.equal(seen.headers['x-forwarded-proto'], 'http');
    session.close();
  });

  it('take an instance out of traffic and put it back, telling what runs on it', async () => {
    const { traffic, green, url } = scene;
    await traffic.addInstance('lane-000', { name: 'green-2', address: green.address, port: green.port });
    const versions = async (): Promise<ReadonlySet<string>> =>
      new Set(await Promise.all(Array.from({ length: 20 }, async () => (await ask(url)).text)));
    assert.deepEqual(await versions(), new Set(['blue', 'green']));
    await traffic.drainInstance('lane-000', 'green-2');
    assert.deepEqual(await versions(), new Set(['blue']));
    await traffic.undrainInstance('lane-000', 'green-2');
    assert.deepEqual(await versions(), new Set(['blue', 'green']));
    await traffic.drainInstance('lane-000', 'green-2');
    await traffic.addInstance('lane-000', { name: 'green-2', address: green.address, port: green.port });
    assert.deepEqual(await versions(), new Set(['blue', 'green']));
    await traffic.drainInstance('lane-000', 'green-2');
    const running = ask(`${url}slow?ms=500`);
    await waitFor(async () => (await traffic.sessions(['lane-000'])).get('lane-000')?.get('blue-1') === 1, {
      timeoutMs: 5_000,
      what: 'one request runs',
    });
    assert.equal((await traffic.sessions(['lane-000'])).get('lane-000')?.get('green-2'), 0);
    await running;
    await traffic.removeInstance('lane-000', 'green-2');
  });

  it('lead new TCP connections by weight, and leave established ones where they are', async () => {
    const { traffic } = scene;
    const [one, two] = await Promise.all([startGreeter('one', '127.0.66.4'), startGreeter('two', '127.0.66.5')]);
    const port = await freePort();
    await traffic.setTcpRoute('shop/db/5432', [
      { ...one.target, weight: 8_000 },
      { ...two.target, weight: 2_000 },
    ]);
    await traffic.publishPort({ port, protocol: 'tcp', route: 'shop/db/5432' });
    let second = 0;
    for (let count = 0; count < 400; count++) {
      const { greeting, close } = await greet(port);
      if (greeting === 'two') second += 1;
      close();
    }
    // 400 throws at 0.2: five standard deviations are 40.
    assert.ok(second > 40 && second < 120, String(second));
    const kept = await greet(port);
    await traffic.setTcpRoute('shop/db/5432', [
      { ...one.target, weight: 0 },
      { ...two.target, weight: 10_000 },
    ]);
    const next = await greet(port);
    assert.equal(next.greeting, 'two');
    assert.equal(await kept.ask('there?'), `${kept.greeting}: there?`);
    for (const { close } of [kept, next, one, two]) close();
    await traffic.unpublishPort({ port, protocol: 'tcp' });
    await traffic.removeRoute('shop/db/5432');
  });

  it('put the rules of the kernel back when somebody removes or changes them', async () => {
    const table = `bascule_traffic_${scene.scope.suffix}`;
    const answers = () =>
      ask(scene.url).then(
        ({ status }) => status === 200,
        () => false,
      );
    for (const command of [
      ['delete', 'table', 'inet', table],
      ['flush', 'chain', 'inet', table, 'publish'],
    ]) {
      await run(['nft', ...command]);
      assert.equal(await answers(), false);
      await waitFor(answers, { timeoutMs: 10_000, what: 'the port is open again', intervalMs: 100 });
    }
  });

  it('end a request whose head does not come', async () => {
    const { text, afterMs } = await slow;
    assert.match(text, /^HTTP\/1\.1 408/);
    assert.ok(afterMs > 25_000 && afterMs < 40_000, String(afterMs));
    await scene.traffic.setRoute(ROUTE, BOTH);
  });
});

/** A byte every second, as slow clients do that want to hold all connections. */
async function slowHead(port: number): Promise<{ text: string; afterMs: number }> {
  const startedAt = performance.now();
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const timer = setInterval(() => socket.write('x'), 1_000);
  const text = await allOf(socket);
  clearInterval(timer);
  return { text, afterMs: performance.now() - startedAt };
}

async function allOf(socket: Socket): Promise<string> {
  const parts: string[] = [];
  socket.on('error', () => {});
  socket.on('data', (part) => parts.push(String(part)));
  await once(socket, 'close');
  return parts.join('');
}

async function answerOn(socket: Socket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return String((await once(socket, 'data'))[0]);
}

interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly text: string;
}

async function openHttp2(port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  await once(session, 'connect');
  const askOn = (headers: Record<string, string>, body?: string): Promise<Http2Answer> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined });
      let [text, head, trailers]: [string, IncomingHttpHeaders, IncomingHttpHeaders] = ['', {}, {}];
      stream.setEncoding('utf8');
      stream.on('response', (received) => (head = received));
      stream.on('trailers', (received) => (trailers = received));
      stream.on('data', (part: string) => (text += part));
      stream.on('error', reject);
      stream.on('end', () => resolve({ status: Number(head[':status']), headers: head, trailers, text }));
      if (body !== undefined) stream.end(body);
    });
  return { ask: askOn, close: () => session.close() };
}
