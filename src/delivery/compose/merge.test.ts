import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import type { Service } from './service.ts';
import { loadText } from '../../../test/support/compose.ts';

/** The service `w` of two files merged. */
function merged(base: string, over: string) {
  const files = {
    'compose.yaml': `services:\n  w:\n    image: i\n    ${base}`,
    'over.yaml': `services:\n  w:\n    ${over}`,
  };
  const {
    image: _image,
    settings: _settings,
    networks: _networks,
    ...service
  } = loadText(files, {
    compose: ['compose.yaml', 'over.yaml'],
  }).services['w'] as Service;
  return Object.fromEntries(Object.entries(service).filter(([, value]) => value !== null));
}

test('a later file is merged over an earlier one by Compose rules', () => {
  const table: readonly (readonly [string, string, object])[] = [
    ['user: a', 'user: b', { user: 'b' }],
    ['command: a b', 'command: [c]', { command: ['c'] }],
    ['environment: {A: 1, B: 1}', 'environment: [B=2, C=]', { environment: { A: '1', B: '2', C: '' } }],
    ['labels: [a=b]', 'labels:', { labels: { a: 'b' } }],
    ['dns: 1.1.1.1', 'dns: [2.2.2.2, 1.1.1.1]', { dns: ['1.1.1.1', '2.2.2.2'] }],
    ['cap_add: [A]', 'cap_add: [B, A]', { cap_add: ['A', 'B'] }],
    ['build: ./x', 'build: {target: t}', { build: { context: '/project/x', dockerfile: 'Dockerfile', target: 't' } }],
    [
      'volumes: ["./a:/d"]',
      'volumes: ["./b:/d:ro"]',
      {
        volumes: [
          { type: 'bind', source: '/project/b', target: '/d', read_only: true, bind: { create_host_path: true } },
        ],
      },
    ],
    ['expose: [80]', 'expose: ["80", 81]', { expose: ['80', '81'] }],
    [
      'healthcheck: {test: [CMD, a], interval: 3s}',
      'healthcheck: {test: b}',
      { healthcheck: { test: ['CMD-SHELL', 'b'], interval: '3s' } },
    ],
    [
      'logging: {driver: a, options: {x: 1}}',
      'logging: {driver: b, options: {y: 1}}',
      { logging: { driver: 'b', options: { y: '1' } } },
    ],
    [
      'logging: {driver: a, options: {x: 1}}',
      'logging: {options: {y: 1}}',
      { logging: { driver: 'a', options: { x: '1', y: '1' } } },
    ],
    ['ulimits: {nofile: 3}', 'ulimits: {nofile: {soft: 1, hard: 2}}', { ulimits: { nofile: { soft: 1, hard: 2 } } }],
    ['extra_hosts: {a: 1.1.1.1}', 'extra_hosts: ["b=2.2.2.2"]', { extra_hosts: ['a=1.1.1.1', 'b=2.2.2.2'] }],
    ['tmpfs: /a', 'tmpfs: [/b]', { tmpfs: ['/a', '/b'] }],
    ['labels: {a: b}', 'labels: !override {c: d}', { labels: { c: 'd' } }],
    ['labels: {a: b, c: d}', 'labels: {a: !reset null}', { labels: { c: 'd' } }],
    ['user: a', 'user: !reset null', {}],
    ['ports: ["80:80"]', 'ports: !override []', {}],
    ['x-note: {a: 1}', 'x-note: {b: 2}', { 'x-note': { b: 2 } }],
  ];
  for (const [base, over, expected] of table) assert.deepEqual(merged(base, over), expected, `${base} + ${over}`);
});

test('the same published port again replaces, another one is added', () => {
  const { ports } = merged('ports: ["80:80", 90]', 'ports: ["80:80/tcp", "81:80"]') as {
    ports: readonly { published?: string }[];
  };
  assert.deepEqual(
    ports.map(({ published }) => published),
    ['80', undefined, '81'],
  );
});

test('short and long depends_on and networks merge', () => {
  const files = {
    'a.yaml':
      'services: {w: {image: i, depends_on: [z], networks: [n]}, z: {image: i}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}',
    'b.yaml':
      'services: {w: {depends_on: {z: {condition: service_healthy}}, networks: {n: {aliases: [q]}}}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}}',
  };
  const project = loadText(files, { compose: ['a.yaml', 'b.yaml'] });
  assert.deepEqual(project.services['w']?.depends_on, { z: { condition: 'service_healthy', required: true } });
  assert.deepEqual(project.services['w']?.networks, { n: { aliases: ['q'] } });
  assert.deepEqual(project.networks['n']?.ipam.config, [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }]);
});

test('forms that cannot be merged are refused at the later one', () => {
  assert.throws(
    () => merged('healthcheck: {interval: 3s}', 'healthcheck: [x]'),
    (error) =>
      error instanceof UserError &&
      /^over.yaml:3:18: services.w.healthcheck: cannot merge a list over a mapping/.test(error.message),
  );
});

test('a reset in an extending service counts for earlier files too', () => {
  const files = {
    'a.yaml': 'services: {w: {image: i, command: first}}',
    'b.yaml': 'services: {w: {extends: {service: o, file: o.yaml}, command: !reset null}}',
    'o.yaml': 'services: {o: {command: second, user: me}}',
  };
  const { services } = loadText(files, { compose: ['a.yaml', 'b.yaml'] });
  assert.equal(services['w']?.command, null);
  assert.equal(services['w']?.user, 'me');
});

test('documents of one file are merged like files', () => {
  const project = loadText('services: {w: {image: a, user: b}}\n---\nservices: {w: {image: c}}');
  assert.equal(project.services['w']?.image, 'c');
  assert.equal(project.services['w']?.user, 'b');
});
