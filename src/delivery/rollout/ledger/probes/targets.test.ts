import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadProject, type Project } from '../../../compose/index.ts';
import type { PublishedPort } from '../../../traffic/index.ts';
import { probeTargets } from './targets.ts';

const model = (services: string): Project =>
  loadProject({
    files: [{ path: '/p/compose.yaml', text: `name: shop\nservices:\n${services}` }],
    directory: '/p',
    environment: {},
    profiles: [],
    readText: () => undefined,
  });
const service = (name: string, settings = ''): string =>
  `  ${name}:\n    image: busybox\n    ports: ["80"]\n    x-bascule: {${settings}}\n`;
const door = (name: string, more: Partial<PublishedPort> = {}): PublishedPort => ({
  ...{ port: 8080, protocol: 'http', route: `shop/${name}/80` },
  ...more,
});
const targets = (settings: string, port: PublishedPort = door('web')) =>
  probeTargets(model(service('web', settings)), [port], [port]);

describe('which probes run', () => {
  it('is one GET of / a service, without a word about it', () => {
    assert.deepEqual(
      targets('').map(({ kind, url, address, isTls }) => [kind, url, address, isTls]),
      [['get', 'http://localhost:8080/', '127.0.0.1', false]],
    );
  });

  it('is what the settings ask for, and none where they say so', () => {
    const kinds = targets('probe: {post: /take, sse: /events, websocket: /socket}').map(
      ({ kind, path }) => `${kind} ${path}`,
    );
    assert.deepEqual(kinds.toSorted(), ['get /', 'post /take', 'sse /events', 'websocket /socket']);
    assert.deepEqual(targets('probe: {enabled: false, sse: /events}'), []);
  });

  it('is only where something serves before and after', () => {
    const web = model(service('web'));
    assert.deepEqual(probeTargets(web, [door('web')], []), []);
    assert.deepEqual(probeTargets(web, [door('web')], [door('web', { port: 8081 })]), []);
    assert.deepEqual(probeTargets(web, [door('web', { protocol: 'tcp' })], [door('web', { protocol: 'tcp' })]), []);
  });

  it('asks as a client of that host and path would', () => {
    const [get] = targets('', door('web', { host: '*.example.org', path: '/api', hostAddress: '::' }));
    assert.deepEqual(
      [get?.url, get?.host, get?.path, get?.address],
      ['http://probe.example.org:8080/api', 'probe.example.org', '/api', '::1'],
    );
    const [events] = targets('probe: {get: /api/well}', door('web', { path: '/api' }));
    assert.equal(events?.path, '/api/well');
  });

  it('is bounded however many services there are', () => {
    const names = Array.from({ length: 30 }, (_, index) => `s${index}`);
    const ports = names.map((name, index) => door(name, { port: 9_000 + index }));
    const all = probeTargets(model(names.map((name) => service(name)).join('')), ports, ports);
    const perSecond = all.reduce((sum, { intervalMs }) => sum + 1_000 / intervalMs, 0);
    assert.ok(all.length === 10 && perSecond <= 40, `${all.length} probes, ${perSecond} a second`);
  });
});
