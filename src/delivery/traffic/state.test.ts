import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openDatabase } from '../../lib/database.ts';
import type { CertificateStore } from './certificate-store.ts';
import { openTrafficRecord } from './state.ts';

/** As the first release of Bascule left it. */
const FIRST = `
  CREATE TABLE traffic_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE traffic_instance (
    lane TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,
    is_draining INTEGER NOT NULL, PRIMARY KEY (lane, name)
  ) STRICT;
  CREATE TABLE traffic_route (
    route TEXT PRIMARY KEY, stable TEXT NOT NULL, candidate TEXT, weight INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE traffic_tcp_route (route TEXT PRIMARY KEY, targets TEXT NOT NULL) STRICT;
  CREATE TABLE traffic_port (
    port INTEGER NOT NULL, protocol TEXT NOT NULL, host_address TEXT NOT NULL, route TEXT NOT NULL, slot INTEGER,
    PRIMARY KEY (port, protocol, host_address)
  ) STRICT;
  INSERT INTO traffic_instance VALUES ('lane-000', 'web-1', '10.0.0.1', 80, 0);
  INSERT INTO traffic_route VALUES ('shop/web/80', 'lane-000', NULL, 0);
  INSERT INTO traffic_port VALUES (80, 'http', '', 'shop/web/80', 3);
  INSERT INTO schema_version VALUES ('traffic', 1);`;

const NO_CERTIFICATES: CertificateStore = {
  all: () => [],
  allWith: () => [],
  put: async () => {},
  remove: async () => {},
  clear: async () => {},
};

describe('the record', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-traffic-record-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('of the first release is read as it was meant', () => {
    using database = openDatabase(join(directory, 'first.db'));
    database.exec(FIRST);
    const { instances, routes, ports, previews, options } = openTrafficRecord(database, NO_CERTIFICATES).read();
    assert.deepEqual(instances, [
      { lane: 'lane-000', name: 'web-1', server: 'web-1', address: '10.0.0.1', port: 80, isDraining: false },
    ]);
    assert.deepEqual([...routes], [['shop/web/80', { stable: 'lane-000', candidate: null, weight: 0 }]]);
    assert.deepEqual(ports, [{ port: 80, protocol: 'http', route: 'shop/web/80', slot: 3 }]);
    assert.equal(previews.size + options.size, 0);
  });

  it('of the first release gets slots when a proxy is to start with it, once', () => {
    using database = openDatabase(join(directory, 'first.db'));
    const record = openTrafficRecord(database, NO_CERTIFICATES);
    const [settled] = record.settleInstances().instances;
    assert.deepEqual([settled?.name, settled?.server], ['web-1', '_1']);
    assert.deepEqual(record.settleInstances().instances, [settled]);
    assert.deepEqual(openTrafficRecord(database, NO_CERTIFICATES).read().instances, [settled]);
  });

  it('knows whose server it is, or was last', () => {
    using database = openDatabase(join(directory, 'owners.db'));
    const record = openTrafficRecord(database, NO_CERTIFICATES);
    const instance = { lane: 'lane-000', name: 'web-1', server: '_1', address: '10.0.0.1', port: 80, isDraining: true };
    record.putInstance(instance);
    assert.deepEqual(record.read().instances, [instance]);
    const next = openTrafficRecord(database, NO_CERTIFICATES);
    assert.equal(next.instanceOn({ lane: 'lane-000', server: '_1' }), 'web-1');
    next.removeInstance('lane-000', 'web-1');
    assert.equal(next.instanceOn({ lane: 'lane-000', server: '_1' }), 'web-1');
    next.putInstance({ ...instance, name: 'web-2' });
    assert.equal(next.instanceOn({ lane: 'lane-000', server: '_1' }), 'web-2');
    assert.equal(next.instanceOn({ lane: 'lane-000', server: 'web-9' }), 'web-9');
  });

  it('keeps all that was set, and forgets what belongs to a route with it', () => {
    using database = openDatabase(join(directory, 'now.db'));
    const record = openTrafficRecord(database, NO_CERTIFICATES);
    const cohorts = [{ kind: 'address', networks: ['10.0.0.0/8'] }] as const;
    const share = { stable: 'lane-000', candidate: 'lane-001', weight: 5, observed: true, cohorts };
    const preview = { lane: 'lane-001', match: { host: 'new.example.org' } };
    record.putRoutes(new Map([['shop/web/80', share]]));
    record.putPreview('shop/web/80', preview);
    record.putOptions('shop/web/80', { accessLog: 'with-query' });
    const api = { port: 80, protocol: 'http', route: 'shop/api/80', host: 'example.org', path: '/api' } as const;
    record.putPort({ port: 80, protocol: 'http', route: 'shop/web/80', slot: 0 });
    record.putPort({ ...api, slot: 0 });
    const kept = record.read();
    assert.deepEqual(kept.routes.get('shop/web/80'), share);
    assert.deepEqual(kept.previews.get('shop/web/80'), preview);
    assert.deepEqual(kept.options.get('shop/web/80'), { accessLog: 'with-query' });
    assert.deepEqual(kept.ports[1], { ...api, slot: 0 });
    record.removePort(api);
    record.removeRoute('shop/web/80');
    const left = record.read();
    assert.deepEqual([left.routes.size, left.previews.size, left.options.size, left.ports.length], [0, 0, 0, 1]);
  });
});
