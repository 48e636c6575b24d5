import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { defaultSettings } from './settings.ts';
import { loadText } from '../../../test/support/compose.ts';

test('without x-bascule all defaults hold', () => {
  const project = loadText('services: {web: {image: x}}');
  assert.deepEqual(project.settings, defaultSettings());
  const { keepMs, drainMs, healthTimeoutMs, strategy, rollbackWindow, canary } = project.settings;
  assert.deepEqual([keepMs, drainMs, healthTimeoutMs], [600_000, 30_000, 60_000]);
  assert.deepEqual([strategy, rollbackWindow], ['blue-green', 3]);
  assert.deepEqual(
    canary.steps.map(({ weight, forMs }) => [weight, forMs]),
    [
      [500, 60_000],
      [2_000, 60_000],
      [5_000, 60_000],
    ],
  );
  assert.deepEqual(project.services['web']?.settings, {});
});

test('x-bascule is read at both levels', () => {
  const project = loadText(`
services:
  web:
    image: x
    x-bascule: {stateful: true, route: {host: a.example, path: /api}, protocol: tcp, smoke: {path: /up, timeout: 1s}}
x-bascule: {keep: 1h, drain: 5s, health_timeout: 2m, rollback_window: 5, read_only: true}
`);
  assert.deepEqual(project.settings, {
    ...defaultSettings(),
    keepMs: 3_600_000,
    drainMs: 5_000,
    healthTimeoutMs: 120_000,
    strategy: 'blue-green',
    rollbackWindow: 5,
    readOnly: true,
  });
  assert.deepEqual(project.services['web']?.settings, {
    stateful: true,
    route: { host: 'a.example', path: '/api' },
    protocol: 'tcp',
    smoke: { path: '/up', status: 200, timeoutMs: 1_000 },
  });
});

test('canary, analysis, jobs and traffic are read with their units', () => {
  const project = loadText(`
services:
  web:
    image: x
    x-bascule:
      tls: {certificate: cert.pem, key: key.pem}
      max_body: 10m
      access_log: true
      probe: {sse: /events}
x-bascule:
  strategy: canary
  rolling: {max_unavailable: 25%, max_surge: 1}
  canary:
    steps: [{weight: 5%, for: 2m}, {weight: 12.5, requests: 400}, {weight: 50%, pause: true}]
    cohorts: [{header: X-Team, value: qa}, {cookie: beta}, {address: 10.0.0.0/8}]
    on_insufficient: abort
  analysis:
    error_margin: 0.5%
    commands: [{name: smoke, run: ./check.sh --fast}]
    queries: [{name: lag, prometheus: 'http://127.0.0.1:9090', query: lag, max: 3}]
  preview: {header: X-Preview, value: '1'}
  jobs: {migrate: {service: web, command: [./migrate, up], at: before-switch, migration: expand, timeout: 5m}}
`);
  const { canary, analysis, preview, jobs, rolling } = project.settings;
  assert.deepEqual(rolling, { maxUnavailable: '25%', maxSurge: 1 });
  assert.deepEqual(canary.steps, [
    { weight: 500, forMs: 120_000 },
    { weight: 1_250, requests: 400 },
    { weight: 5_000, pause: true },
  ]);
  assert.deepEqual(canary.cohorts, [
    { kind: 'header', name: 'X-Team', value: 'qa' },
    { kind: 'cookie', name: 'beta' },
    { kind: 'address', networks: ['10.0.0.0/8'] },
  ]);
  assert.equal(analysis.errorMargin, 0.005);
  assert.deepEqual(analysis.commands, [
    { name: 'smoke', run: ['/project/check.sh', '--fast'], intervalMs: 15_000, failures: 1, timeoutMs: 30_000 },
  ]);
  assert.equal(analysis.queries[0]?.max, 3);
  assert.deepEqual(preview, { kind: 'header', name: 'X-Preview', value: '1' });
  assert.deepEqual(jobs['migrate'], {
    service: 'web',
    command: ['./migrate', 'up'],
    at: 'before-switch',
    migration: 'expand',
    timeoutMs: 300_000,
    retries: 0,
  });
  const { tls, maxBodyBytes, probe } = project.services['web']!.settings;
  assert.match(tls?.certificate ?? '', /^\/.*\/cert\.pem$/);
  assert.equal(maxBodyBytes, 10 * 1024 * 1024);
  assert.deepEqual(probe, { enabled: true, get: '/', sse: '/events' });
});

test('unknown keys and wrong values name their place and the nearest key', () => {
  const table: readonly (readonly [string, RegExp, RegExp])[] = [
    ['x-bascule: {keap: 1m}', /^compose.yaml:1:13: x-bascule.keap: unknown key "keap"/, /"keep"/],
    [
      'x-bascule: {keep: soon}',
      /^compose.yaml:1:19: x-bascule.keep: must be a duration such as 30s or 10m/,
      /docs\/compose.md/,
    ],
    ['x-bascule: {keep: 10}', /x-bascule.keep: must be a duration/, /docs/],
    ['x-bascule: {strategy: canery}', /x-bascule.strategy: .*blue-green/, /docs/],
    ['x-bascule: {rollback_window: -1}', /x-bascule.rollback_window: /, /docs/],
    [
      'services: {w: {image: x, x-bascule: {route: {hots: a}}}}',
      /services.w.x-bascule.route.hots: unknown key "hots"/,
      /"host"/,
    ],
    ['services: {w: {image: x, x-bascule: {smoke: {path: up}}}}', /services.w.x-bascule.smoke.path: /, /docs/],
    ['x-bascule: {canary: {steps: [{weight: 50%}, {weight: 5%}]}}', /canary.steps\[1\].weight: 5% is less/, /grow/],
    ['x-bascule: {canary: {steps: [{weight: 150%}]}}', /canary.steps\[0\].weight: must be between/, /docs/],
    ['x-bascule: {canary: {stepps: []}}', /x-bascule.canary.stepps: unknown key/, /"steps"/],
    ['x-bascule: {canary: {cohorts: [{address: 10.0.0.0/99}]}}', /cohorts\[0\].address: "10.0.0.0\/99"/, /10\.0/],
    ['x-bascule: {canary: {cohorts: [{heder: a}]}}', /canary.cohorts\[0\]: must have one of header/, /docs/],
    [
      'x-bascule: {analysis: {queries: [{name: a, prometheus: "http://a", query: b}]}}',
      /queries\[0\]: the query has no threshold/,
      /max/,
    ],
    [
      'x-bascule: {analysis: {commands: [{name: a, run: b}, {name: a, run: c}]}}',
      /commands\[1\].name: there is another guard "a"/,
      /own/,
    ],
    [
      'services: {web: {image: x}}\nx-bascule: {jobs: {m: {service: wep, command: a, at: before-start}}}',
      /jobs.m.service: there is no service "wep"/,
      /"web"/,
    ],
    [
      'services: {w: {image: x}}\nx-bascule: {jobs: {m: {service: w, command: a, at: before-start, migration: contract}}}',
      /jobs.m.migration: a migration that contracts/,
      /after-switch/,
    ],
    ['services: {w: {image: x, x-bascule: {tls: {acme: true}}}}', /tls.acme: ACME needs to know/, /route/],
    ['services: {w: {image: x, x-bascule: {tls: {key: a}}}}', /tls: certificate and key/, /both/],
    ['services: {w: {image: x, x-bascule: [a]}}', /services.w.x-bascule: /, /docs/],
  ];
  for (const [text, message, fix] of table) {
    assert.throws(
      () => loadText(`${text}\n`),
      (error) => error instanceof UserError && message.test(error.message) && fix.test(error.fix),
      text,
    );
  }
});

test('what comes into the maps of the proxy is looked at before anything is done', () => {
  const table: readonly (readonly [top: string, service: string])[] = [
    ['{}', '{route: {host: "a b; show info"}}'],
    ['{}', '{route: {host: "a.example\\nb"}}'],
    ['{}', '{route: {path: "/a b"}}'],
    ['{}', '{route: {path: "/a//b"}}'],
    ['{}', '{max_body: 0}'],
    ['{preview: {host: "*"}}', '{}'],
    ['{preview: {host: "a|b"}}', '{}'],
    ['{preview: {header: "a b", value: c}}', '{}'],
    ['{preview: {header: a, value: "c\\r\\nd"}}', '{}'],
    ['{canary: {cohorts: [{header: "a:b"}]}}', '{}'],
    ['{canary: {cohorts: [{cookie: a, value: "b\\nc"}]}}', '{}'],
  ];
  const load = (top: string, service: string) =>
    loadText(`services: {w: {image: x, x-bascule: ${service}}}\nx-bascule: ${top}\n`);
  for (const [top, service] of table) {
    assert.throws(
      () => load(top, service),
      (error) => error instanceof UserError && error.code === 'compose-invalid',
      `${top} ${service}`,
    );
  }
  const good = load(
    '{preview: {host: New.Example.org.}, canary: {cohorts: [{header: X-Beta, value: "a b; c ü"}]}}',
    '{route: {host: "*.Example.org", path: /a/b-c/}, max_body: 1k}',
  );
  assert.deepEqual(good.settings.preview, { kind: 'host', host: 'new.example.org' });
});

test('a service that may write to its root file system says so, as read-only is our default', () => {
  const project = loadText('services: {w: {image: x, read_only: false}, v: {image: x}}\n');
  assert.deepEqual([project.services['w']?.read_only, project.services['v']?.read_only], [false, undefined]);
});
