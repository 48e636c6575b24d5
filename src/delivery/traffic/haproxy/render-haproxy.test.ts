import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addServer, deleteServer } from './commands.ts';
import { connectionsFor } from './process.ts';
import { countersOf } from './counters.ts';
import { fingerprintOf, type ProxySettings, renderConfiguration, renderMap } from './render-haproxy.ts';
import { SLOTS } from '../slots.ts';
import { isAtLeast, parseVersion } from './version.ts';

const settings: ProxySettings = {
  version: { major: 2, minor: 6, text: '2.6.12' },
  runDirectory: '/run/bascule/haproxy',
  httpPort: 61_000,
  tlsPort: 62_000,
  withIpv6: true,
  laneCount: 4,
  maxConnections: 9_000,
  connectionsPerClient: 2_000,
  keys: { probeToken: '0'.repeat(32), bucketKey: Buffer.alloc(32).toString('base64') },
};
const instance = { lane: 'lane-002', name: 'web-1', server: '_1', address: '10.0.0.1', port: 80, isDraining: false };

describe('the configuration of the proxy', () => {
  it('has as many lanes as the pool, and the instances in theirs', () => {
    const text = renderConfiguration(settings, [
      instance,
      { ...instance, name: 'web-2', server: '_3', isDraining: true },
      { ...instance, name: 'web-7', server: 'web-7' },
      { ...instance, name: 'web-8', server: 'web-8', isDraining: true },
    ]);
    assert.equal(text.match(/^backend lane-\d+$/gm)?.length, 4);
    const speaking = renderConfiguration(settings, [{ ...instance, server: 'web-1', protocol: 'h2' }]);
    assert.match(speaking, /^ {2}server web-1 10\.0\.0\.1:80 .*\bproto h2\b/m);
    const lane = text.split('backend lane-002\n')[1]?.split('backend')[0] ?? '';
    assert.match(lane, /^ {2}server _1 10\.0\.0\.1:80$/m);
    assert.match(lane, /^ {2}server _2 127\.0\.0\.1:1 disabled$/m);
    assert.match(lane, /^ {2}server _3 10\.0\.0\.1:80 disabled$/m);
    assert.match(lane, /^ {2}server web-7 10\.0\.0\.1:80 check .*(?<!disabled)$/m);
    assert.match(lane, /^ {2}server web-8 10\.0\.0\.1:80 .* disabled$/m);
    assert.equal(lane.match(/^ {2}server /gm)?.length, SLOTS.length + 2);
    assert.equal(text.match(/^ {2}server _\d 127\.0\.0\.1:1 disabled$/gm)?.length, 4 * SLOTS.length - 2);
    assert.match(text, /^ {2}default-server check .*pool-purge-delay 1s$/m);
  });

  it('is the same configuration whatever instances run, and another one with another pool', () => {
    const same = renderConfiguration(settings, [instance]).includes(`description bascule ${fingerprintOf(settings)}\n`);
    assert.ok(same);
    assert.notEqual(fingerprintOf(settings), fingerprintOf({ ...settings, laneCount: 5 }));
    assert.notEqual(
      fingerprintOf(settings),
      fingerprintOf({ ...settings, version: { major: 2, minor: 6, text: '2.6.13' } }),
    );
  });

  it('asks for no account and no option that this version lacks', () => {
    const old = renderConfiguration({ ...settings, version: { major: 2, minor: 4, text: '2.4.24' } }, []);
    assert.doesNotMatch(old, /close-spread-time|^ {2}user /m);
  });

  it('limits connections of one client address, or does not', () => {
    assert.match(
      renderConfiguration(settings, []),
      /^ {2}tcp-request connection reject if \{ sc0_conn_cur gt 2000 \}$/m,
    );
    const open = renderConfiguration({ ...settings, connectionsPerClient: 0 }, []);
    assert.doesNotMatch(open, /tcp-request connection reject/);
  });

  it('reads maps of one entry a line', () => {
    assert.equal(renderMap(new Map([['80', 'shop/web/80']])), '80 shop/web/80\n');
  });
});

describe('commands', () => {
  const own = { ...instance, lane: 'lane-000', server: 'web-1' };

  it('are checked servers since 2.5, and experimental before', () => {
    const now = addServer(settings.version, own);
    assert.match(now[0] ?? '', /^add server lane-000\/web-1 10\.0\.0\.1:80 check /);
    assert.deepEqual(now.slice(1), ['enable health lane-000/web-1', 'enable server lane-000/web-1']);
    const old = { major: 2, minor: 4, text: '2.4.24' };
    assert.match(addServer(old, own)[0] ?? '', /^experimental-mode on; add server (?!.*check)/);
    assert.deepEqual(deleteServer(old, { lane: 'lane-000', server: 'a' }), [
      'experimental-mode on; del server lane-000/a',
    ]);
  });

  it('write IPv6 addresses in brackets', () => {
    const [add] = addServer(settings.version, { ...own, address: 'fd00::1' });
    assert.match(add ?? '', / \[fd00::1\]:80 /);
  });
});

describe('versions', () => {
  it('are read from what the program prints', () => {
    assert.deepEqual(parseVersion('HA-Proxy version 2.4.24-0ubuntu0.22.04.2 2025/…'), {
      major: 2,
      minor: 4,
      text: '2.4.24-0ubuntu0.22.04.2',
    });
    assert.equal(isAtLeast(parseVersion('HAProxy version 3.0.11 …'), 2, 5), true);
  });

  it('too old or unknown are refused', () => {
    assert.throws(() => parseVersion('HA-Proxy version 2.2.9-2+deb11u6'), { code: 'haproxy-unsupported' });
    assert.throws(() => parseVersion('what?'), { code: 'haproxy-unsupported' });
  });
});

describe('the number of connections', () => {
  it('follows the hard limit of descriptors', () => {
    const limits = (hard: string): string =>
      `Max processes 1 2 processes\nMax open files            1024        ${hard}      files\n`;
    assert.equal(connectionsFor(limits('20000')), 9_000);
    assert.equal(connectionsFor(limits('1024')), 460);
    assert.equal(connectionsFor(limits('unlimited')), 50_000);
  });
});

describe('counters', () => {
  it('tell 5xx answers of the application from those of the proxy', () => {
    const rows = [{ pxname: 'lane-000', svname: 'BACKEND', hrsp_5xx: '7', req_tot: '100' }];
    const lane = countersOf(rows, new Map([['lane-000', 5]]), ['lane-000']).lanes.get('lane-000');
    assert.deepEqual([lane?.requests, lane?.appErrors, lane?.proxyErrors], [100, 5, 2]);
  });

  it('never blame the proxy for an answer that is still on its way', () => {
    const rows = [{ pxname: 'lane-000', svname: 'BACKEND', hrsp_5xx: '7' }];
    const lane = countersOf(rows, new Map([['lane-000', 9]]), ['lane-000']).lanes.get('lane-000');
    assert.deepEqual([lane?.appErrors, lane?.proxyErrors], [7, 0]);
  });
});
