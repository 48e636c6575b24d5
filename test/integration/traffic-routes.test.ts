import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { UserError } from '../../src/lib/errors.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { ask, BLUE, BOTH, openTrafficScene, ROUTE, type TrafficScene, trafficSkip } from '../support/traffic-scene.ts';

describe('routes', { skip: await trafficSkip(), timeout: 540_000 }, () => {
  let scene: TrafficScene;
  before(async () => {
    scene = await openTrafficScene(64);
  });
  after(() => scene?.[Symbol.asyncDispose]());

  const version = async (question: Parameters<typeof ask>[1] = {}, url = scene.url): Promise<string> =>
    (await ask(url, question)).text;

  it('lead cohorts to the candidate at any weight, without a cookie, and everybody else by weight', async () => {
    const { traffic } = scene;
    await traffic.setRoute(ROUTE, {
      ...BOTH,
      cohorts: [
        { kind: 'header', name: 'X-Beta', value: 'yes, "now"; \\d+' },
        { kind: 'cookie', name: 'beta', value: '1' },
        { kind: 'address', networks: ['127.200.0.0/14', '192.0.2.0/24'] },
      ],
    });
    assert.equal(await version(), 'blue');
    assert.equal(await version({ headers: { 'x-beta': 'yes, "now"; \\d+' } }), 'green');
    assert.equal(await version({ headers: { 'x-beta': 'yes, "now"; 7' } }), 'blue');
    assert.equal(await version({ headers: { cookie: 'a=b; beta=1; c=d' } }), 'green');
    assert.equal(await version({ headers: { cookie: 'a=b; alphabeta=1' } }), 'blue');
    assert.equal(await version({ from: '127.203.255.1' }), 'green');
    assert.equal(await version({ from: '127.204.0.1' }), 'blue');
    const cohorts = [{ kind: 'header', name: 'x-beta' }] as const;
    await traffic.setRoute(ROUTE, { ...BOTH, weight: 1, cohorts });
    const member = await ask(scene.url, { headers: { 'x-beta': '' } });
    assert.equal(member.text, 'green');
    assert.equal(member.headers['set-cookie'], undefined);
    const other = await ask(scene.url);
    assert.equal(other.text, 'blue');
    assert.match(String(other.headers['set-cookie']), /^bascule-bucket=\d+[.][0-9A-F]{32};/);
    const { routes } = await traffic.observe();
    assert.deepEqual(routes.get(ROUTE), { ...BOTH, weight: 1, cohorts });
    await traffic.setRoute(ROUTE, BLUE);
    assert.equal(await version({ headers: { 'x-beta': '' } }), 'blue');
  });

  it('change cohorts under load without a request that sees neither state', async () => {
    const { traffic, url } = scene;
    const [first, second] = [
      [{ kind: 'header', name: 'x-member' }] as const,
      [{ kind: 'header', name: 'X-Member', value: '1' }] as const,
    ];
    await traffic.setRoute(ROUTE, { ...BOTH, cohorts: first });
    await using load = await startLoad({
      url,
      connections: 8,
      newConnectionShare: 0.1,
      headers: { 'x-member': '1' },
      version: { from: 'header', name: 'x-version' },
    });
    for (let count = 0; count < 100; count++) {
      await traffic.setRoute(ROUTE, { ...BOTH, weight: count, cohorts: count % 2 === 0 ? second : first });
    }
    const report = await load.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.deepEqual(Object.keys(report.versions), ['green']);
    await traffic.setRoute(ROUTE, BLUE);
  });

  it('keep cohorts and previews when the proxy dies, and when they are taken away behind its back', async () => {
    const { traffic } = scene;
    await traffic.setRoute(ROUTE, { ...BOTH, cohorts: [{ kind: 'header', name: 'x-beta', value: 'a b' }] });
    const { pid } = await traffic.observe();
    process.kill(pid, 'SIGKILL');
    await traffic.ensure();
    assert.equal(await version({ headers: { 'x-beta': 'a b' } }), 'green');
    await traffic.setRoute(ROUTE, BLUE);
  });

  it('share a port by host and path: longest path first, whole segments, exact hosts before wildcards', async () => {
    const { traffic, port } = scene;
    const url = `http://127.0.0.1:${port}`;
    const routes: readonly (readonly [string, { host?: string; path?: string }])[] = [
      ['api/web/80', { path: '/api' }],
      ['deep/web/80', { path: '/api/deep' }],
      ['site/web/80', { host: 'Example.org' }],
      ['wild/web/80', { host: '*.example.org', path: '/docs/' }],
    ];
    for (const [index, [route, match]] of routes.entries()) {
      const lane = `lane-01${index}`;
      const { address, port: to } = scene.green;
      await traffic.addInstance(lane, { name: 'app', address, port: to });
      await traffic.setRoute(route, { stable: lane, candidate: null, weight: 0 });
      await traffic.publishPort({ port, protocol: 'http', route, ...match });
    }
    const laneOf = async (path: string, host = 'other.test'): Promise<string> => {
      const earlier = await requestsByLane(scene);
      const { status } = await ask(`${url}${path}`, { headers: { host } });
      assert.equal(status, 200);
      for (;;) {
        const later = await requestsByLane(scene);
        const grown = [...later].find(([lane, count]) => count > (earlier.get(lane) ?? 0));
        if (grown !== undefined) return grown[0];
      }
    };
    assert.equal(await laneOf('/'), 'lane-000');
    assert.equal(await laneOf('/api'), 'lane-010');
    assert.equal(await laneOf('/api/x?y=/api/deep'), 'lane-010');
    assert.equal(await laneOf('/apix'), 'lane-000');
    assert.equal(await laneOf('/api/deep/er'), 'lane-011');
    assert.equal(await laneOf('/api/deeper'), 'lane-010');
    assert.equal(await laneOf('/api', 'EXAMPLE.org:8080'), 'lane-012');
    assert.equal(await laneOf('/docs', 'a.example.org'), 'lane-013');
    assert.equal(await laneOf('/docs/x', 'a.b.example.org'), 'lane-000');
    assert.equal(await laneOf('/', 'a.example.org'), 'lane-000');
    assert.equal(await laneOf('/api', 'a.example.org'), 'lane-010');
    // A host is no way around the path.
    assert.equal(await laneOf('/', 'a.example.org/docs'), 'lane-000');
    assert.equal(await laneOf('/', '/api'), 'lane-000');
    assert.equal(await laneOf('/', 'example.org/api:80'), 'lane-012');
    await assert.rejects(
      traffic.publishPort({ port, protocol: 'http', route: 'other/web/80', host: 'example.ORG', path: '/' }),
      (error: UserError) => error.code === 'port-published' && error.message.includes('site/web/80'),
    );
    for (const [route, match] of routes) {
      await traffic.unpublishPort({ port, protocol: 'http', ...match });
      await traffic.removeRoute(route);
    }
    assert.equal(await laneOf('/api'), 'lane-000');
    assert.equal((await traffic.observe()).publishedPorts.length, 1);
  });

  it('share and leave a port under load without losing a request', async () => {
    const { traffic, port, url, green } = scene;
    await traffic.addInstance('lane-010', { name: 'app', address: green.address, port: green.port });
    await traffic.setRoute('api/web/80', { stable: 'lane-010', candidate: null, weight: 0 });
    await using load = await startLoad({
      url,
      connections: 8,
      newConnectionShare: 0.2,
      version: { from: 'header', name: 'x-version' },
    });
    for (let count = 0; count < 30; count++) {
      await traffic.publishPort({ port, protocol: 'http', route: 'api/web/80', path: '/api' });
      await traffic.unpublishPort({ port, protocol: 'http', path: '/api' });
    }
    const report = await load.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.deepEqual(Object.keys(report.versions), ['blue']);
    await traffic.removeRoute('api/web/80');
  });

  it('show a preview to those who ask for it by a header or a host, before any traffic moves', async () => {
    const { traffic, port, green } = scene;
    await traffic.setPreview(ROUTE, 'lane-001', { header: { name: 'Bascule-Preview', value: 'token-1' } });
    assert.equal(await version(), 'blue');
    assert.equal(await version({ headers: { 'bascule-preview': 'token-1' } }), 'green');
    assert.equal(await version({ headers: { 'bascule-preview': 'token-2' } }), 'blue');
    await traffic.setPreview(ROUTE, 'lane-001', { host: 'Preview.example.org' });
    assert.equal(await version({ headers: { host: 'preview.example.org' } }), 'green');
    assert.equal(await version({ headers: { host: `PREVIEW.example.org:${port}` } }), 'green');
    // … also where the port is shared by host.
    await traffic.addInstance('lane-010', { name: 'app', address: green.address, port: green.port });
    await traffic.setRoute('site/web/80', { stable: 'lane-000', candidate: null, weight: 0 });
    const shared = await freePort();
    await traffic.publishPort({ port: shared, protocol: 'http', route: 'site/web/80', host: 'example.org' });
    await traffic.setPreview('site/web/80', 'lane-010', { host: 'new.example.org' });
    const url = `http://127.0.0.1:${shared}/`;
    assert.equal(await version({ headers: { host: 'example.org' } }, url), 'blue');
    assert.equal(await version({ headers: { host: 'new.example.org' } }, url), 'green');
    assert.deepEqual((await traffic.observe()).previews.get('site/web/80')?.match, { host: 'new.example.org' });
    await traffic.setPreview('site/web/80', null);
    assert.equal((await ask(url, { headers: { host: 'new.example.org' } })).status, 503);
    await traffic.unpublishPort({ port: shared, protocol: 'http', host: 'example.org' });
    await traffic.removeRoute('site/web/80');
    await traffic.setPreview(ROUTE, null);
    assert.equal(await version({ headers: { host: 'preview.example.org' } }), 'blue');
  });

  it('redirect to https when told to, unless a proxy before us has spoken it', async () => {
    const { traffic, url } = scene;
    await traffic.setRouteOptions(ROUTE, { redirectToHttps: true });
    const { status, headers } = await ask(`${url}a?b=c`, { headers: { host: 'example.org:8080' } });
    assert.equal(status, 308);
    assert.equal(headers.location, 'https://example.org/a?b=c');
    assert.equal(await version({ headers: { 'x-forwarded-proto': 'https' } }), 'blue');
    await traffic.setRouteOptions(ROUTE, {});
    assert.equal(await version(), 'blue');
  });
});

async function requestsByLane({ traffic }: TrafficScene): Promise<ReadonlyMap<string, number>> {
  const { lanes } = await traffic.counters();
  return new Map([...lanes].map(([lane, { requests }]) => [lane, requests]));
}
