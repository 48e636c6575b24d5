import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { loadText } from '../../../test/support/compose.ts';
import { assertSupported, unsupportedIn } from './unsupported.ts';

const found = (lines: string, top = '') =>
  unsupportedIn(loadText(`services:\n  w:\n    image: x\n    ${lines}\n${top}`)).map(({ path }) => path);

test('what the demo needs can be run', () => {
  const lines = [
    'build: {context: ., target: t, args: {A: b}, labels: {a: b}, network: host}',
    'ports: ["80:80", {target: 81, published: 81, app_protocol: tcp}, "53:53/udp"]',
    'volumes: ["data:/d", "./x:/x:ro", {type: tmpfs, target: /t}]',
    'networks: {n: {aliases: [q]}}',
    'deploy: {replicas: 2, resources: {limits: {memory: 64m}}, update_config: {order: start-first}}',
    'healthcheck: {test: [CMD, x]}\n    read_only: true\n    init: true\n    tmpfs: /run\n    cap_drop: [ALL]',
    'security_opt: ["no-new-privileges:true"]\n    logging: {driver: local, options: {max-size: 1m}}',
    'configs: [c]\n    secrets: [s]\n    restart: always\n    ulimits: {nofile: 1024}\n    x-note: 1',
  ];
  const top =
    'volumes: {data: }\nnetworks: {n: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}}\nconfigs: {c: {content: x}}\nsecrets: {s: {environment: HOME}}';
  assert.deepEqual(found(lines.join('\n    '), top), []);
});

test('what Compose knows and we cannot run is named', () => {
  const table: readonly (readonly [string, string, string?])[] = [
    ['ipc: host', 'services.w.ipc'],
    ['container_name: one', 'services.w.container_name'],
    ['network_mode: host', 'services.w.network_mode'],
    ['gpus: all', 'services.w.gpus'],
    ['pull_policy: daily', 'services.w.pull_policy'],
    ['build: {context: ., ssh: [default]}', 'services.w.build.ssh'],
    ['build: https://example.com/a.git', 'services.w.build.context'],
    ['ports: [80]', 'services.w.ports[0]'],
    ['ports: ["8000-8010:80"]', 'services.w.ports[0]'],
    ['volumes: [{type: image, source: x, target: /x}]', 'services.w.volumes[0]'],
    ['networks: {n: {ipv4_address: 10.0.0.9}}', 'services.w.networks.n.ipv4_address', 'networks: {n: }'],
    ['networks: [n]', 'networks.n', 'networks: {n: {external: true}}'],
    ['networks: [n]', 'networks.n.driver', 'networks: {n: {driver: macvlan}}'],
    ['volumes: ["data:/d"]', 'volumes.data', 'volumes: {data: {external: true}}'],
    ['secrets: [s]', 'secrets.s', 'secrets: {s: {external: true}}'],
    ['deploy: {mode: global}', 'services.w.deploy.mode'],
    ['deploy: {placement: {constraints: [a]}}', 'services.w.deploy.placement'],
    ['pre_stop: [{command: a}, {command: b, privileged: true}]', 'services.w.pre_stop[1].privileged'],
    ['logging: {driver: syslog}', 'services.w.logging.driver'],
    ['security_opt: ["apparmor=x"]', 'services.w.security_opt[0]'],
  ];
  for (const [lines, path, top] of table) assert.deepEqual(found(lines, top), [path], lines);
});

test('the error names all of it', () => {
  const project = loadText('services: {w: {image: x, ipc: host, pid: host}}');
  assert.throws(
    () => assertSupported(project),
    (error) =>
      error instanceof UserError &&
      error.code === 'compose-unsupported' &&
      error.kind === 'unsupported' &&
      error.message.includes('services.w.ipc') &&
      error.message.includes('services.w.pid'),
  );
});
