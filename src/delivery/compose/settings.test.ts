import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { loadText } from '../../../test/support/compose.ts';

test('without x-bascule all defaults hold', () => {
  const project = loadText('services: {web: {image: x}}');
  assert.deepEqual(project.settings, {
    keepMs: 600_000,
    drainMs: 30_000,
    healthTimeoutMs: 60_000,
    strategy: 'blue-green',
    rollbackWindow: 3,
  });
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

test('unknown keys and wrong values name their place and the nearest key', () => {
  const table: readonly (readonly [string, RegExp, RegExp])[] = [
    ['x-bascule: {keap: 1m}', /^compose.yaml:1:13: x-bascule.keap: unknown key "keap"/, /"keep"/],
    [
      'x-bascule: {keep: soon}',
      /^compose.yaml:1:19: x-bascule.keep: must be a duration such as 30s or 10m/,
      /docs\/compose.md/,
    ],
    ['x-bascule: {keep: 10}', /x-bascule.keep: must be a duration/, /docs/],
    ['x-bascule: {strategy: canary}', /x-bascule.strategy: .*blue-green/, /docs/],
    ['x-bascule: {rollback_window: -1}', /x-bascule.rollback_window: /, /docs/],
    [
      'services: {w: {image: x, x-bascule: {route: {hots: a}}}}',
      /services.w.x-bascule.route.hots: unknown key "hots"/,
      /"host"/,
    ],
    ['services: {w: {image: x, x-bascule: {smoke: {path: up}}}}', /services.w.x-bascule.smoke.path: /, /docs/],
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
