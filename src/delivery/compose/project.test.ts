import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { loadText } from '../../../test/support/compose.ts';
import { fileContents } from './file-contents.ts';
import { findComposeFile } from './find.ts';
import { servicesInOrder } from './order.ts';
import { portProtocol } from './ports.ts';
import type { Project } from './project.ts';
import type { Port, Service } from './service.ts';
import { replicasOf, resourcesOf } from './resources.ts';

test('a port is HTTP unless something says otherwise', () => {
  const plain = { settings: {} };
  const table: readonly (readonly [
    Pick<Port, 'target' | 'protocol' | 'app_protocol'>,
    Pick<Service, 'settings'>,
    string,
  ])[] = [
    [{ target: 8080 }, plain, 'http'],
    [{ target: 8080, protocol: 'tcp' }, plain, 'http'],
    [{ target: 5432 }, plain, 'tcp'],
    [{ target: 443 }, plain, 'tcp'],
    [{ target: 8080, protocol: 'udp' }, plain, 'udp'],
    [{ target: 53, protocol: 'udp', app_protocol: 'http' }, plain, 'udp'],
    [{ target: 5432, app_protocol: 'http' }, plain, 'http'],
    [{ target: 8080, app_protocol: 'tcp' }, plain, 'tcp'],
    [{ target: 8080, app_protocol: 'grpc' }, plain, 'tcp'],
    [{ target: 8080, app_protocol: 'WS' }, plain, 'http'],
    [{ target: 8080 }, { settings: { protocol: 'tcp' } }, 'tcp'],
    [{ target: 6379 }, { settings: { protocol: 'http' } }, 'http'],
    [{ target: 8080, app_protocol: 'http' }, { settings: { protocol: 'tcp' } }, 'http'],
  ];
  for (const [port, service, expected] of table)
    assert.equal(portProtocol(port, service), expected, JSON.stringify(port));
});

test('every service stands behind those it depends on', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const edges = fc.array(fc.tuple(fc.nat(5), fc.nat(5)).filter(([from, to]) => from > to));
  fc.assert(
    fc.property(edges, fc.shuffledSubarray(names, { minLength: 6 }), (pairs, shuffled) => {
      const dependsOn = (name: string) =>
        pairs.filter(([from]) => names[from] === name).map(([, to]) => names[to] as string);
      const services = Object.fromEntries(
        shuffled.map((name) => [name, { depends_on: Object.fromEntries(dependsOn(name).map((other) => [other, {}])) }]),
      );
      const order = servicesInOrder({ services } as unknown as Project);
      assert.deepEqual([...order].sort(), names);
      for (const name of names)
        for (const other of dependsOn(name)) assert.ok(order.indexOf(other) < order.indexOf(name));
    }),
  );
});

test('the first Compose file of a folder is found, and its override', () => {
  assert.deepEqual(findComposeFile(['README.md', 'docker-compose.yml', 'compose.yml']), ['compose.yml']);
  assert.deepEqual(findComposeFile(['compose.yaml', 'compose.override.yml']), ['compose.yaml', 'compose.override.yml']);
  assert.deepEqual(findComposeFile(['compose.override.yml']), []);
});

test('limits come from deploy or from the older keys', () => {
  const { services } = loadText(
    'services: {a: {image: x, mem_limit: 1g, cpus: 2, scale: 3}, b: {image: x, deploy: {replicas: 0, resources: {limits: {memory: 64m, pids: 5}}}}}',
  );
  assert.deepEqual(resourcesOf(services['a'] as Service), { cpus: 2, memoryBytes: 2 ** 30 });
  assert.deepEqual(resourcesOf(services['b'] as Service), { memoryBytes: 2 ** 26, pids: 5 });
  assert.deepEqual(
    [replicasOf(services['a'] as Service), replicasOf(services['b'] as Service), replicasOf({})],
    [3, 0, 1],
  );
});

test('configs and secrets are read from files, variables and their own content', () => {
  const texts: Record<string, string> = { '/project/c.txt': 'from file', '/project/.env': 'TOKEN=t' };
  const project = loadText(
    'services: {a: {image: x, configs: [c, d], secrets: [s]}}\nconfigs: {c: {file: c.txt}, d: {content: "x $$A"}}\nsecrets: {s: {environment: TOKEN}}',
  );
  const source = { directory: '/project', environment: {}, readText: (path: string) => texts[path] };
  assert.deepEqual(fileContents(project, source), { configs: { c: 'from file', d: 'x $A' }, secrets: { s: 't' } });
  delete texts['/project/c.txt'];
  assert.throws(
    () => fileContents(project, source),
    (error) => error instanceof UserError && error.message === 'configs.c: there is no file /project/c.txt',
  );
});
