import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareValues } from './compare-values.ts';
import { withoutSecretValues } from './secret-values.ts';

test('differences name their path, what was there and what is there now', () => {
  const before = { services: { web: { image: 'a:1', ports: [1], only: 'x' } } };
  const after = { services: { web: { image: 'a:2', ports: [1, 2] }, api: { image: 'b' } } };
  assert.deepEqual(compareValues(before, after), [
    { path: 'services.api', kind: 'added', after: '{"image":"b"}' },
    { path: 'services.web.image', kind: 'changed', before: 'a:1', after: 'a:2' },
    { path: 'services.web.only', kind: 'removed', before: 'x' },
    { path: 'services.web.ports', kind: 'changed', before: '[1]', after: '[1,2]' },
  ]);
  assert.deepEqual(compareValues(after, after), []);
});

test('values of secrets are hidden, and still seen to change', () => {
  const shown = (password: string) =>
    withoutSecretValues({
      environment: { DB_PASSWORD: password, URL: `redis://:${password}@cache:6379/0`, MODE: 'fast' },
    }) as { environment: Record<string, string> };
  const { environment } = shown('hunter2');
  assert.equal(environment['MODE'], 'fast');
  assert.ok(!JSON.stringify(environment).includes('hunter2'));
  assert.match(environment['URL'] ?? '', /^redis:\/\/:\(hidden [0-9a-f]{8}\)@cache:6379\/0$/);
  assert.notEqual(shown('other').environment['DB_PASSWORD'], environment['DB_PASSWORD']);
});
