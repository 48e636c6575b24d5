import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findComposeFile } from './find.ts';
import { portProtocol } from './ports.ts';
import type { Port, Service } from './service.ts';

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

test('the first Compose file of a folder is found, and its override', () => {
  assert.deepEqual(findComposeFile(['README.md', 'docker-compose.yml', 'compose.yml']), ['compose.yml']);
  assert.deepEqual(findComposeFile(['compose.yaml', 'compose.override.yml']), ['compose.yaml', 'compose.override.yml']);
  assert.deepEqual(findComposeFile(['compose.override.yml']), []);
});
