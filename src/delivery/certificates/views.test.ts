import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { certificateViews } from './views.ts';

const next = new Date('2026-07-01T00:00:00Z');
const notAfterMs = Date.parse('2026-08-01T00:00:00Z');
const placed = (name: string, fingerprint: string, hosts: readonly string[]) => ({
  ...{ name, hosts, fingerprint, isDefault: false, notAfterMs },
});

describe('certificates as people see them', () => {
  it('are from a file unless an authority gave just this one', () => {
    const views = certificateViews({
      installed: [placed('shop/web', 'AA', ['a.test']), placed('wiki/web', 'BB', ['b.test'])],
      issuers: new Map([['AA', 'CN=x']]),
      states: [
        { host: 'a.test', fingerprint: 'AA', next, failures: 0 },
        { host: 'b.test', fingerprint: 'CC', next, failures: 2, reason: 'refused' },
      ],
    });
    const notAfter = new Date(notAfterMs);
    assert.deepEqual(views, [
      {
        ...{ service: 'shop/web', hosts: ['a.test'], fingerprint: 'AA', notAfter, issuer: 'CN=x' },
        ...{ source: 'acme', failures: 0, renewal: next },
      },
      { service: 'wiki/web', hosts: ['b.test'], fingerprint: 'BB', notAfter, source: 'file', failures: 0 },
    ]);
  });

  it('that are missing have the reason', () => {
    const states = [{ host: 'a.test', next, failures: 2, reason: 'refused' }];
    const [view, ...others] = certificateViews({ installed: [], issuers: new Map(), states });
    assert.deepEqual(view, {
      ...{ hosts: ['a.test'], source: 'acme', failures: 2, renewal: next, lastError: 'refused' },
    });
    assert.deepEqual(others, []);
  });
});
