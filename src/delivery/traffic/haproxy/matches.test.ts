import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RecordedPort } from '../ports.ts';
import type { Preview } from '../traffic.ts';
import { lookupOf } from './matches.ts';

const route = 'shop/web/80';
const web: RecordedPort = { port: 80, protocol: 'http', route };
const lookup = (ports: readonly RecordedPort[], previews: ReadonlyMap<string, Preview> = new Map()) => {
  const { ports: first, matches } = lookupOf(ports, previews, { httpPort: 61_000, tlsPort: 62_000 });
  return { ports: Object.fromEntries(first), matches: Object.fromEntries(matches) };
};

describe('how a request finds its route', () => {
  it('is by the port alone where it leads to one route; a slot stands for a port', () => {
    assert.deepEqual(
      lookup([
        { ...web, slot: 3 },
        { ...web, port: 443, tls: true, slot: 3 },
        { ...web, port: 82, protocol: 'tcp' },
      ]),
      {
        ports: { 80: route, 443: route, '6@61004': '80', '6@62004': '443' },
        matches: {},
      },
    );
  });

  it('is by host and path where routes share a port, the port without either being one of them', () => {
    const shared = [
      { ...web, slot: 0 },
      { ...web, slot: 0, path: '/api', route: 'shop/api/80' },
      { ...web, slot: 0, host: 'example.org', route: 'site/web/80' },
      { ...web, slot: 0, host: '*.example.org', path: '/docs', route: 'docs/web/80' },
    ];
    assert.deepEqual(lookup(shared), {
      ports: { 80: '=80', '6@61001': '80' },
      matches: {
        '=80|/': route,
        '=80|/api/': 'shop/api/80',
        '=80|example.org/': 'site/web/80',
        '=80|*.example.org/docs/': 'docs/web/80',
      },
    });
  });

  it('is by the address first where one address of the host has a route of its own', () => {
    const admin = { ...web, hostAddress: '127.0.0.1', route: 'shop/admin/80' };
    assert.deepEqual(lookup([web, admin]), {
      ports: { 80: '=80', '127.0.0.1@80': 'shop/admin/80' },
      matches: { '=80|/': route },
    });
    assert.deepEqual(lookup([admin]).ports, { 80: '=80', '127.0.0.1@80': 'shop/admin/80' });
  });

  it('has the host of a preview beside those of its route', () => {
    const preview = { lane: 'lane-001', match: { host: 'preview.example.org' } };
    const previews = new Map([[route, preview]]);
    assert.deepEqual(lookup([{ ...web, host: 'example.org' }], previews).matches, {
      '=80|preview.example.org/': route,
      '=80|example.org/': route,
    });
    assert.deepEqual(lookup([web], previews), { ports: { 80: route }, matches: {} });
  });
});
