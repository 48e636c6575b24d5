import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TcpTarget } from '../traffic.ts';
import { type NftState, renderRemoval, renderTraffic } from './render-nft.ts';

const state: NftState = {
  table: 'bascule_traffic_0a1b2c3d',
  httpPort: 61_000,
  tlsPort: 62_000,
  ports: [
    { port: 8080, protocol: 'http', route: 'shop/web/80', slot: 2 },
    { port: 8443, protocol: 'http', route: 'shop/web/80', hostAddress: '192.0.2.1' },
    { port: 443, protocol: 'http', route: 'shop/web/80', tls: true, slot: 0 },
    { port: 5432, protocol: 'tcp', route: 'shop/db/5432' },
    { port: 53, protocol: 'udp', route: 'shop/dns/53' },
    { port: 6379, protocol: 'tcp', route: 'shop/cache/6379' },
  ],
  tcpRoutes: new Map([
    ['shop/db/5432', [{ address: '172.20.0.2', port: 5432 }]],
    [
      'shop/dns/53',
      [
        { address: '172.20.0.3', port: 53 },
        { address: '172.20.0.4', port: 53 },
      ],
    ],
  ]),
  targetInterfaces: ['bsc-01234567'],
};

const rules = renderTraffic(state)
  .split('\n')
  .filter((line) => line.startsWith('add rule'))
  .map((line) => line.replace('add rule inet bascule_traffic_0a1b2c3d ', ''));

describe('rules of published ports', () => {
  it('lead HTTP to the one port of the proxy', () => {
    assert.ok(rules.includes('publish meta nfproto ipv4 fib daddr type local tcp dport 8080 redirect to :61000'));
    assert.ok(rules.includes('publish meta nfproto ipv6 fib daddr type local tcp dport 8080 redirect to :61003'));
    assert.ok(rules.includes('publish meta nfproto ipv4 ip daddr 192.0.2.1 tcp dport 8443 redirect to :61000'));
  });

  it('close the ports of the proxy to connections from outside that were not led to them', () => {
    assert.deepEqual(
      rules.filter((rule) => rule.startsWith('doors')),
      ['doors iifname "lo" accept', 'doors ct status dnat accept', 'doors tcp dport { 61000-61064, 62000-62064 } drop'],
    );
  });

  it('lead those that speak TLS to its other port', () => {
    assert.ok(rules.includes('publish meta nfproto ipv4 fib daddr type local tcp dport 443 redirect to :62000'));
    assert.ok(rules.includes('publish meta nfproto ipv6 fib daddr type local tcp dport 443 redirect to :62001'));
  });

  it('lead TCP and UDP to their targets in turn, and nowhere without targets', () => {
    const publish = rules.filter((rule) => rule.includes('dnat ip'));
    assert.deepEqual(publish, [
      'publish meta nfproto ipv4 fib daddr type local tcp dport 5432 dnat ip to 172.20.0.2:5432',
      'publish meta nfproto ipv4 fib daddr type local udp dport 53 dnat ip addr . port to numgen inc mod 2 map { 0 : 172.20.0.3 . 53, 1 : 172.20.0.4 . 53 }',
    ]);
    assert.ok(!rules.some((rule) => rule.includes('6379')));
  });

  it('lead new connections by weight where targets have one', () => {
    const [first, second] = [
      { address: '172.20.0.2', port: 5432, weight: 9_000 },
      { address: '172.20.0.3', port: 5432, weight: 1_000 },
    ];
    const dnat = (targets: readonly TcpTarget[]): string | undefined =>
      renderTraffic({ ...state, tcpRoutes: new Map([['shop/db/5432', targets]]) })
        .split('\n')
        .find((line) => line.includes('dnat ip'))
        ?.replace(/^.* dnat ip /, '');
    assert.equal(
      dnat([first, second]),
      'addr . port to numgen random mod 10000 map { 0-8999 : 172.20.0.2 . 5432, 9000-9999 : 172.20.0.3 . 5432 }',
    );
    assert.equal(
      dnat([
        { ...first, weight: 10_000 },
        { ...second, weight: 0 },
      ]),
      'to 172.20.0.2:5432',
    );
  });

  it('redirect a port once, however many routes share it', () => {
    const [web] = state.ports;
    assert.ok(web !== undefined);
    const shared = renderTraffic({ ...state, ports: [web, { ...web, path: '/api', route: 'api/web/80' }] });
    assert.equal(shared.match(/dport 8080 redirect to :61000/g)?.length, 1);
  });

  it('let the loopback reach targets, and nobody else reach the loopback', () => {
    assert.ok(
      rules.some((rule) => /^postrouting ip saddr 127\.0\.0\.0\/8 oifname "bsc-01234567" .*masquerade$/.test(rule)),
    );
    assert.ok(rules.some((rule) => rule === 'guard iifname "bsc-01234567" ip daddr 127.0.0.0/8 drop'));
  });

  it('are replaced in one transaction that touches our own table only and drops no hook', () => {
    const lines = renderTraffic(state)
      .split('\n')
      .filter((line) => line !== '');
    assert.ok(lines.every((line) => line.split(' ').includes(state.table)));
    assert.ok(!lines.some((line) => line.startsWith('delete')));
    assert.equal(renderRemoval('t'), 'add table inet t\ndelete table inet t\n');
  });
});
