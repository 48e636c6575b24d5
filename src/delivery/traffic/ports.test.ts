import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { conflictOf, listenerFor, normalisedMatch, parseListeners, slotFor } from './ports.ts';
import type { PublishedPort } from './traffic.ts';

const web: PublishedPort = { port: 80, protocol: 'http', route: 'shop/web/80' };

describe('published ports', () => {
  it('conflict on the same number and transport', () => {
    assert.equal(conflictOf({ ...web, route: 'blog/web/80' }, [web]), web);
    assert.equal(conflictOf({ ...web, protocol: 'tcp' }, [web]), web);
    assert.equal(conflictOf({ ...web, protocol: 'udp' }, [web]), undefined);
    assert.equal(conflictOf({ ...web, port: 81 }, [web]), undefined);
  });

  it('may be published again as they are', () => {
    assert.equal(conflictOf({ ...web }, [web]), undefined);
  });

  it('may be shared by host and path, unless these are the same', () => {
    const api = { ...web, path: '/api', route: 'api/web/80' };
    const named = { ...web, host: 'example.org', route: 'site/web/80' };
    assert.equal(conflictOf(api, [web, named]), undefined);
    assert.equal(conflictOf({ ...api, route: 'other/web/80' }, [web, api]), api);
    assert.equal(conflictOf({ ...named, route: 'other/web/80' }, [named]), named);
    assert.equal(conflictOf({ ...api, protocol: 'tcp' }, [named]), named);
    assert.equal(slotFor(api, [{ ...web, slot: 5 }]), 5);
  });

  it('have one way to write a match', () => {
    assert.deepEqual(normalisedMatch({ host: 'Example.ORG.', path: '/api/' }), { host: 'example.org', path: '/api' });
    assert.deepEqual(normalisedMatch({ host: '*', path: '/' }), {});
  });

  it('may share a number on different addresses', () => {
    const local = { ...web, hostAddress: '127.0.0.1', route: 'shop/admin/80' };
    assert.equal(conflictOf(local, [{ ...web, hostAddress: '127.0.0.2' }]), undefined);
    assert.equal(conflictOf(local, [web]), undefined);
    const database = { ...local, protocol: 'tcp' } as const;
    assert.equal(conflictOf(database, [{ ...web, protocol: 'tcp' }])?.route, web.route);
  });
});

describe('listeners of the host', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41234 1 0',
    '   1: 0100007F:1F91 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 41235 1 0',
    '   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 7 1 0',
    '   3: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 8 1 0',
    '   4: 0000000000000000FFFF00000500007F:0052 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 9 1 0',
  ].join('\n');

  it('are read from the kernel, connections left out', () => {
    assert.deepEqual(parseListeners(table), [
      { address: '127.0.0.1', port: 8080, inode: 41234 },
      { address: '::', port: 80, inode: 7 },
      { address: '::1', port: 81, inode: 8 },
      { address: '127.0.0.5', port: 82, inode: 9 },
    ]);
  });

  it('stand in the way only where the addresses overlap', () => {
    const listeners = parseListeners(table);
    const at = (port: number, hostAddress?: string) =>
      listenerFor({ port, protocol: 'http', ...(hostAddress === undefined ? {} : { hostAddress }) }, listeners)?.inode;
    assert.equal(at(8080), 41234);
    assert.equal(at(8080, '127.0.0.1'), 41234);
    assert.equal(at(8080, '127.0.0.2'), undefined);
    assert.equal(at(80, '10.0.0.1'), 7);
    assert.equal(at(8081), undefined);
  });
});
