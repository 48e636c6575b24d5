import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RequestSample } from '../../src/delivery/traffic/index.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import {
  type Answer,
  ask,
  BLUE,
  BOTH,
  openTrafficScene,
  ROUTE,
  type TrafficScene,
  trafficSkip,
} from '../support/traffic-scene.ts';
import { waitFor } from '../support/wait.ts';

describe('requests, one by one', { skip: await trafficSkip(), timeout: 540_000 }, () => {
  let scene: TrafficScene;
  const samples: RequestSample[] = [];
  before(async () => {
    scene = await openTrafficScene(65);
    scene.traffic.onRequests((batch) => samples.push(...batch));
  });
  after(() => scene?.[Symbol.asyncDispose]());

  /** What was reported of the requests that `work` made. */
  async function reported(count: number, work: () => Promise<unknown>): Promise<readonly RequestSample[]> {
    samples.length = 0;
    await work();
    await waitFor(() => samples.length >= count, { timeoutMs: 10_000, what: `${count} samples` });
    return [...samples];
  }
  /** In this order: threads of the proxy write their lines as they come to it. */
  async function reportedInTurn(...asks: readonly (() => Promise<unknown>)[]): Promise<readonly RequestSample[]> {
    const seen: RequestSample[] = [];
    for (const work of asks) seen.push(...(await reported(1, work)));
    return seen;
  }

  it('are silent until the route is observed', async () => {
    await ask(scene.url);
    await scene.traffic.setRoute(ROUTE, { ...BLUE, observed: true });
    const [first, ...others] = await reported(1, () => ask(`${scene.url}slow?ms=60`));
    assert.equal(others.length, 0);
    assert.ok(first !== undefined);
    const { atMs, responseMs, totalMs, ...rest } = first;
    assert.deepEqual(rest, {
      route: ROUTE,
      lane: 'lane-000',
      chosenBy: 'weight',
      status: 200,
      appError: false,
      method: 'GET',
    });
    assert.ok(Math.abs(Date.now() - atMs) < 5_000);
    assert.ok(responseMs >= 59 && responseMs <= totalMs && totalMs < 2_000, `${responseMs} of ${totalMs}`);
    await scene.traffic.setRoute(ROUTE, BLUE);
    samples.length = 0;
    await ask(scene.url);
    await scene.traffic.setRoute(ROUTE, { ...BLUE, observed: true });
    assert.equal((await reported(1, () => ask(scene.url))).length, 1);
  });

  it('tell which side answered, and who asked for it', async () => {
    const cohorts = [{ kind: 'header', name: 'x-beta' }] as const;
    await scene.traffic.setRoute(ROUTE, { ...BOTH, weight: 5_000, cohorts, observed: true });
    await scene.traffic.setPreview(ROUTE, 'lane-001', { header: { name: 'bascule-preview', value: 't' } });
    const seen = await reportedInTurn(
      () => ask(scene.url, { headers: { 'bascule-bucket': '100' } }),
      () => ask(scene.url, { headers: { 'bascule-bucket': '9000' } }),
      () => ask(scene.url, { headers: { 'x-beta': '1' } }),
      () => ask(scene.url, { headers: { 'bascule-preview': 't' } }),
    );
    assert.deepEqual(
      seen.map(({ client }) => client),
      [100, 9_000, undefined, undefined],
    );
    const [fresh] = await reported(1, () => ask(scene.url));
    assert.ok(fresh?.isNewClient === true);
    assert.ok((fresh.client ?? -1) >= 0 && (fresh.client ?? -1) < 10_000, `${fresh.client}`);
    assert.deepEqual(
      seen.map(({ lane, chosenBy }) => `${lane} ${chosenBy}`),
      ['lane-001 client', 'lane-000 client', 'lane-001 cohort', 'lane-001 preview'],
    );
    await scene.traffic.setPreview(ROUTE, null);
  });

  it('believe a bucket in a cookie only when we have signed it', async () => {
    const { traffic, url } = scene;
    await traffic.setRoute(ROUTE, { ...BOTH, weight: 5_000, observed: true });
    const cookieOf = ({ headers }: Answer): string | undefined => headers['set-cookie']?.[0]?.split(';')[0];
    let first = '';
    await reported(1, async () => (first = cookieOf(await ask(url)) ?? ''));
    assert.match(first, /^bascule-bucket=[0-9]{1,4}[.][0-9A-F]{32}$/);
    const [bucket = '', signature = ''] = first.slice('bascule-bucket='.length).split('.');
    const other = bucket === '17' ? '18' : '17';
    const forged = [
      bucket,
      '0',
      `${other}.${signature}`,
      `${bucket}.${signature.slice(1)}`,
      `${bucket}.`,
      `.${signature}`,
    ];
    const seen = await reportedInTurn(
      async () => assert.equal(cookieOf(await ask(url, { headers: { cookie: `a=b; ${first}; c=d` } })), undefined),
      ...forged.map((value) => async () => {
        const answer = await ask(url, { headers: { cookie: `bascule-bucket=${value}` } });
        assert.match(cookieOf(answer) ?? '', /^bascule-bucket=[0-9]+[.]/, value);
      }),
      async () =>
        assert.equal(cookieOf(await ask(url, { headers: { cookie: first, 'bascule-bucket': '0' } })), undefined),
    );
    assert.deepEqual(
      seen.map(({ chosenBy, isNewClient }) => `${chosenBy} ${isNewClient === true}`),
      ['weight false', ...forged.map(() => 'weight true'), 'client false'],
    );
    assert.equal(seen[0]?.client, Number(bucket));
  });

  it('take for probes only those that know the token, which no application sees', async () => {
    const { traffic, url } = scene;
    const token = traffic.probeToken();
    assert.match(token, /^[0-9a-f]{32}$/);
    const values = [token, '1', token.toUpperCase(), `${token}0`, token.slice(1)];
    const askAs = async (value: string): Promise<void> => {
      const { text } = await ask(`${url}echo`, { headers: { 'x-bascule-probe': value } });
      assert.equal((JSON.parse(text) as { headers: Record<string, string> }).headers['x-bascule-probe'], undefined);
    };
    const seen = await reportedInTurn(...values.map((value) => () => askAs(value)));
    assert.deepEqual(
      seen.map(({ chosenBy }) => chosenBy),
      ['probe', 'weight', 'weight', 'weight', 'weight'],
    );
    await traffic.setRoute(ROUTE, BLUE);
    await askAs(token);
    for (const file of ['delivery/traffic/keys', '']) {
      const path = file === '' ? join(scene.scope.runDirectory, 'haproxy/haproxy.cfg') : join(scene.scope.root, file);
      assert.equal(statSync(path).mode & 0o777, 0o600, path);
    }
    await traffic.setRoute(ROUTE, { ...BLUE, observed: true });
  });

  it('agree with what clients counted, by side and status, under load', async (t) => {
    await scene.traffic.setRoute(ROUTE, { ...BOTH, weight: 3_000, observed: true });
    samples.length = 0;
    const load = await startLoad({
      url: scene.url,
      connections: 16,
      newConnectionShare: 0.1,
      version: { from: 'header', name: 'x-version' },
      maxRequests: 10_000,
    });
    const report = await load.done;
    await waitFor(() => samples.length >= report.requests, { timeoutMs: 10_000, what: 'all samples' });
    assert.equal(samples.length, report.requests);
    const byLane = (lane: string): number => samples.filter((sample) => sample.lane === lane).length;
    assert.equal(byLane('lane-000'), report.versions['blue']);
    assert.equal(byLane('lane-001'), report.versions['green']);
    assert.ok(samples.every((sample) => sample.status === 200 && sample.loss === undefined && !sample.appError));
    const { delivered, dropped } = (await scene.traffic.counters()).samples;
    t.diagnostic(`${report.requestsPerSecond}/s; delivered ${delivered}, dropped ${dropped}`);
    assert.equal(dropped, 0);
  });

  it('tell errors of the application, and what was lost and how', async () => {
    const { traffic, url } = scene;
    await traffic.setRoute(ROUTE, { ...BLUE, observed: true });
    const [failed] = await reported(1, () => ask(`${url}fail`));
    assert.deepEqual(outcome(failed), [500, true, undefined]);
    const [dropped] = await reported(1, () => ask(`${url}drop`, { method: 'POST', body: 'x' }));
    assert.deepEqual(outcome(dropped), [502, false, 'reset']);
    const [tried] = await reported(1, () => ask(`${url}drop`));
    assert.deepEqual(outcome(tried), [502, false, 'reset']);
    const [cut] = await reported(1, () => assert.rejects(ask(`${url}cut`)));
    assert.deepEqual(outcome(cut), [200, false, 'truncated']);
    const [left] = await reported(1, () => leave(`${url}slow?ms=300`));
    assert.deepEqual([left?.loss, left?.appError], [undefined, false]);
    await using nonsense = await startNonsense();
    await traffic.addInstance('lane-004', { name: 'nonsense', address: '127.0.0.1', port: nonsense.port });
    await traffic.setRoute(ROUTE, { stable: 'lane-004', candidate: null, weight: 0, observed: true });
    const [invalid] = await reported(1, () => ask(url));
    assert.deepEqual(outcome(invalid), [502, false, 'proxy-error']);
  });

  it('tell a refused connection from a lane without instances', async () => {
    const { traffic, url } = scene;
    await traffic.addInstance('lane-005', { name: 'nobody', address: '127.0.0.1', port: await freePort() });
    await traffic.setRoute(ROUTE, { stable: 'lane-005', candidate: null, weight: 0, observed: true });
    const [refused] = await reported(1, () => ask(url, { method: 'POST', body: 'x' }));
    // Its check may have failed before: then the proxy does not even try.
    assert.ok(['refused', 'proxy-error'].includes(String(refused?.loss)), JSON.stringify(refused));
    assert.deepEqual([refused?.status, refused?.appError], [503, false]);
    await traffic.setRoute(ROUTE, { stable: 'lane-006', candidate: null, weight: 0, observed: true });
    const [nobody] = await reported(1, () => ask(url));
    assert.deepEqual(outcome(nobody), [503, false, 'proxy-error']);
    assert.equal(nobody?.lane, 'lane-006');
    await traffic.setRoute(ROUTE, { ...BLUE, observed: true });
  });

  it('lose samples, never requests, while the daemon is busy; the loss is counted', async (t) => {
    const { traffic, url } = scene;
    await using application = await startApart();
    await traffic.addInstance('lane-007', { name: 'apart', address: '127.0.0.1', port: application.port });
    await traffic.setRoute(ROUTE, { stable: 'lane-007', candidate: null, weight: 0, observed: true });
    const earlier = (await traffic.counters()).samples;
    const load = await startLoad({ url, connections: 32, newConnectionShare: 0, maxDurationMs: 60_000 });
    const busyUntil = performance.now() + 8_000;
    while (performance.now() < busyUntil);
    const report = await load.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    // One more: the proxy says how many it dropped when there is room again.
    const seen = async (): Promise<{ delivered: number; dropped: number }> => {
      const { delivered, dropped } = (await traffic.counters()).samples;
      return { delivered: delivered - earlier.delivered, dropped: dropped - earlier.dropped };
    };
    await waitFor(async () => (await seen()).delivered > 1_000, { timeoutMs: 5_000, what: 'samples come again' });
    await ask(url);
    await waitFor(
      async () => {
        const { delivered, dropped } = await seen();
        return delivered + dropped >= report.requests;
      },
      { timeoutMs: 5_000, what: `${report.requests} are delivered or dropped` },
    ).catch(async (error: Error) => assert.fail(`${error.message}: ${JSON.stringify(await seen())}`));
    t.diagnostic(`${report.requests} requests; ${JSON.stringify(await seen())}`);
    await traffic.setRoute(ROUTE, { ...BLUE, observed: true });
  });

  it('are read again from a proxy that was started anew', async () => {
    const { traffic, url } = scene;
    const { pid } = await traffic.observe();
    process.kill(pid, 'SIGKILL');
    await traffic.ensure();
    samples.length = 0;
    await waitFor(
      async () => {
        await ask(url);
        return samples.length > 0;
      },
      { timeoutMs: 10_000, what: 'a sample from the new proxy' },
    );
  });

  it('are written to the access log of their project where the route says so, without secrets', async () => {
    const { traffic, url, scope } = scene;
    await traffic.setRoute(ROUTE, BLUE);
    await traffic.setRouteOptions(ROUTE, { accessLog: true });
    const headers = {
      'user-agent': 'test "1"\t\\',
      cookie: 'secret=1',
      authorization: 'Bearer secret',
      referer: 'http://a/b?token=secret',
    };
    const answer = await ask(`${url}a/b?token=secret`, { headers: { ...headers, 'x-request-id': 'given-1' } });
    assert.equal(answer.headers['x-request-id'], 'given-1');
    const made = await ask(`${url}echo`, { headers: { 'x-request-id': 'not valid: "' } });
    const id = String(made.headers['x-request-id']);
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.equal((JSON.parse(made.text) as { headers: Record<string, string> }).headers['x-request-id'], id);
    const directory = join(scope.root, 'delivery/access');
    const lines = await waitFor(() => linesOf(join(directory, 'shop.log'), 2), { timeoutMs: 5_000, what: 'two lines' });
    const [first, second] = lines;
    assert.ok(first !== undefined && second !== undefined);
    const { time, responseMs, totalMs, bytesIn, bytesOut, ...rest } = first;
    assert.deepEqual(rest, {
      id: 'given-1',
      client: '127.0.0.1',
      method: 'GET',
      host: new URL(url).host,
      path: '/a/b',
      protocol: 'HTTP/1.1',
      status: 200,
      route: ROUTE,
      lane: 'lane-000',
      instance: 'blue-1',
      userAgent: 'test "1"\t\\',
      referer: 'http://a/b',
    });
    assert.ok([time, responseMs, totalMs, bytesIn, bytesOut].every((value) => value !== undefined));
    assert.equal(second['id'], id);
    assert.doesNotMatch(readFileSync(join(directory, 'shop.log'), 'utf8'), /secret/);
    await traffic.setRouteOptions(ROUTE, { accessLog: 'with-query' });
    await ask(`${url}a?b=c`);
    const [, , third] = await waitFor(() => linesOf(join(directory, 'shop.log'), 3), {
      timeoutMs: 5_000,
      what: 'a third',
    });
    assert.equal(third?.['path'], '/a?b=c');
    const mixed = await ask(url, { headers: { 'x-request-id': 'valid, "\tother.host\t/other/path' } });
    assert.match(String(mixed.headers['x-request-id']), /^[0-9a-f-]{36}$/);
    await traffic.setRouteOptions(ROUTE, {});
    assert.equal((await ask(url)).headers['x-request-id'], undefined);
    assert.deepEqual(readdirSync(directory), ['shop.log']);
  });
});

function outcome(sample: RequestSample | undefined): readonly unknown[] {
  return [sample?.status, sample?.appError, sample?.loss];
}

function linesOf(path: string, count: number): readonly Record<string, unknown>[] | undefined {
  try {
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    return lines.length < count ? undefined : lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  } catch {
    return undefined;
  }
}

/** A client that goes before the answer comes. */
async function leave(url: string): Promise<void> {
  const outgoing = request(url, { agent: false });
  outgoing.on('error', () => {});
  outgoing.end();
  await once(outgoing, 'finish');
  setTimeout(() => outgoing.destroy(), 100);
}

/** An application in a process of its own. */
async function startApart(): Promise<AsyncDisposable & { readonly port: number }> {
  const script = `const s = require('http').createServer((q, r) => r.end('x')).listen(0, '127.0.0.1', () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    port: Number(line.toString()),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Answers with something that is not HTTP. */
async function startNonsense(): Promise<AsyncDisposable & { readonly port: number }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('this is not HTTP\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
