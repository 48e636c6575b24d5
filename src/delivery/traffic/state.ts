import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction, migrate } from '../../lib/database.ts';
import type { CertificateStore } from './certificate-store.ts';
import type { RecordedPort } from './ports.ts';
import { type ServerKey, settleServers } from './slots.ts';
import type {
  Certificate,
  Cohort,
  LaneId,
  PortKey,
  Preview,
  PreviewMatch,
  RouteId,
  RouteMatch,
  RouteOptions,
  RouteShare,
  TcpTarget,
} from './traffic.ts';

/** An instance as it should stand in the proxy. */
export interface RecordedInstance {
  readonly lane: LaneId;
  readonly name: string;
  /** The server of the proxy that it has: a slot of its lane, or one that has its name. */
  readonly server: string;
  readonly address: string;
  readonly port: number;
  readonly protocol?: 'h1' | 'h2';
  readonly isDraining: boolean;
}

/** What traffic should look like. The proxy and the kernel hold copies of it that can be made again at any time. */
export interface Intent {
  readonly instances: readonly RecordedInstance[];
  readonly routes: ReadonlyMap<RouteId, RouteShare>;
  readonly previews: ReadonlyMap<RouteId, Preview>;
  readonly options: ReadonlyMap<RouteId, RouteOptions>;
  readonly tcpRoutes: ReadonlyMap<RouteId, readonly TcpTarget[]>;
  readonly ports: readonly RecordedPort[];
  /** The first one is the default. */
  readonly certificates: readonly Certificate[];
}

/**
 * The durable record. Every change is written here first and applied afterwards: whatever dies in between, the next
 * `ensure()` applies it.
 */
export interface TrafficRecord {
  read(): Intent;
  door(name: DoorName): number | undefined;
  rememberDoor(name: DoorName, port: number): void;
  putInstance(instance: RecordedInstance): void;
  /** For a proxy that is about to start: as many instances as possible get slots. Returns what is written now. */
  settleInstances(): Intent;
  /** Whose server this is, or was last, as long as we run. */
  instanceOn(at: ServerKey): string;
  removeInstance(lane: LaneId, name: string): void;
  putRoutes(shares: ReadonlyMap<RouteId, RouteShare>): void;
  putPreview(route: RouteId, preview: Preview | null): void;
  putOptions(route: RouteId, options: RouteOptions): void;
  putTcpRoute(route: RouteId, targets: readonly TcpTarget[]): void;
  removeRoute(route: RouteId): void;
  putPort(port: RecordedPort): void;
  removePort(port: PortKey & RouteMatch): void;
  clear(): void;
}

export type DoorName = 'http-port' | 'tls-port';

const SCHEMA = {
  room: 'traffic',
  statements: [
    `CREATE TABLE traffic_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
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
     ) STRICT;`,
    `ALTER TABLE traffic_instance ADD COLUMN protocol TEXT;
     ALTER TABLE traffic_route ADD COLUMN cohorts TEXT;
     ALTER TABLE traffic_route ADD COLUMN is_observed INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE traffic_preview (route TEXT PRIMARY KEY, lane TEXT NOT NULL, match TEXT NOT NULL) STRICT;
     CREATE TABLE traffic_option (route TEXT PRIMARY KEY, options TEXT NOT NULL) STRICT;
     CREATE TABLE traffic_published (
       port INTEGER NOT NULL, protocol TEXT NOT NULL, host_address TEXT NOT NULL, host TEXT NOT NULL, path TEXT NOT NULL,
       route TEXT NOT NULL, slot INTEGER, PRIMARY KEY (port, protocol, host_address, host, path)
     ) STRICT;
     INSERT INTO traffic_published SELECT port, protocol, host_address, '', '', route, slot FROM traffic_port;
     DROP TABLE traffic_port;`,
    `ALTER TABLE traffic_published ADD COLUMN is_tls INTEGER NOT NULL DEFAULT 0;`,
    // Absent: a server of its own, as all had before there were slots.
    `ALTER TABLE traffic_instance ADD COLUMN server TEXT;`,
  ],
};

const TABLES = ['instance', 'route', 'tcp_route', 'published', 'preview', 'option'];

export function openTrafficRecord(database: DatabaseSync, certificates: CertificateStore): TrafficRecord {
  migrate(database, SCHEMA);
  // All that stands between the word to switch and the switch is worth saving.
  const prepared = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    const known = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  const run = (sql: string, ...values: readonly (string | number | null)[]): void => {
    statement(sql).run(...values);
  };
  const rows = (sql: string): readonly Row[] => statement(sql).all() as readonly Row[];
  const setting = (name: string): string | undefined =>
    database.prepare('SELECT value FROM traffic_setting WHERE name = ?').get(name)?.['value'] as string | undefined;

  const read = (): Intent => ({
    instances: rows('SELECT * FROM traffic_instance ORDER BY lane, name').map(instanceOf),
    routes: new Map(rows('SELECT * FROM traffic_route ORDER BY route').map(routeOf)),
    previews: new Map(rows('SELECT * FROM traffic_preview ORDER BY route').map(previewOf)),
    options: new Map(rows('SELECT * FROM traffic_option ORDER BY route').map(optionsOf)),
    tcpRoutes: new Map(rows('SELECT * FROM traffic_tcp_route ORDER BY route').map(tcpRouteOf)),
    ports: rows('SELECT * FROM traffic_published ORDER BY port, protocol, host_address, host, path').map(portOf),
    certificates: certificates.all(),
  });
  const putInstance = ({ lane, name, address, port, isDraining, protocol, server }: RecordedInstance): void => {
    owners.set(`${lane}/${server}`, name);
    const values = [lane, name, address, port, Number(isDraining), protocol ?? null, server];
    run('INSERT OR REPLACE INTO traffic_instance VALUES (?, ?, ?, ?, ?, ?, ?)', ...values);
  };
  const owners = new Map(read().instances.map(({ lane, server, name }) => [`${lane}/${server}`, name]));

  return {
    read,
    settleInstances() {
      inTransaction(database, () => settleServers(read().instances).forEach(putInstance));
      return read();
    },
    instanceOn: ({ lane, server }) => owners.get(`${lane}/${server}`) ?? server,
    door(name) {
      const value = setting(name);
      return value === undefined ? undefined : Number(value);
    },
    rememberDoor: (name, port) => run('INSERT OR REPLACE INTO traffic_setting VALUES (?, ?)', name, String(port)),
    putInstance,
    removeInstance: (lane, name) => run('DELETE FROM traffic_instance WHERE lane = ? AND name = ?', lane, name),
    putRoutes: (shares) =>
      inTransaction(database, () => {
        for (const [route, { stable, candidate, weight, cohorts, observed }] of shares) {
          const [texts, isObserved] = [
            cohorts === undefined ? null : JSON.stringify(cohorts),
            Number(observed === true),
          ];
          const values = [route, stable, candidate, weight, texts, isObserved];
          run('INSERT OR REPLACE INTO traffic_route VALUES (?, ?, ?, ?, ?, ?)', ...values);
        }
      }),
    putPreview(route, preview) {
      if (preview === null) return run('DELETE FROM traffic_preview WHERE route = ?', route);
      const { lane, match } = preview;
      return run('INSERT OR REPLACE INTO traffic_preview VALUES (?, ?, ?)', route, lane, JSON.stringify(match));
    },
    putOptions: (route, options) =>
      run('INSERT OR REPLACE INTO traffic_option VALUES (?, ?)', route, JSON.stringify(options)),
    putTcpRoute: (route, targets) =>
      run('INSERT OR REPLACE INTO traffic_tcp_route VALUES (?, ?)', route, JSON.stringify(targets)),
    removeRoute: (route) =>
      inTransaction(database, () => {
        for (const table of ['route', 'tcp_route', 'preview', 'option']) {
          run(`DELETE FROM traffic_${table} WHERE route = ?`, route);
        }
      }),
    putPort: ({ port, protocol, hostAddress, host, path, route, slot, tls }) =>
      inTransaction(database, () => {
        const key = [port, protocol, hostAddress ?? ''];
        const [isTls, values] = [Number(tls === true), [...key, host ?? '', path ?? '', route, slot ?? null]];
        run('INSERT OR REPLACE INTO traffic_published VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ...values, isTls);
        // One port, one door.
        run(
          'UPDATE traffic_published SET slot = ?, is_tls = ? WHERE port = ? AND protocol = ? AND host_address = ?',
          ...[slot ?? null, isTls, ...key],
        );
      }),
    removePort: ({ port, protocol, hostAddress, host, path }) =>
      run(
        `DELETE FROM traffic_published
         WHERE port = ? AND protocol = ? AND host_address = ? AND host = ? AND path = ?`,
        ...[port, protocol, hostAddress ?? '', host ?? '', path ?? ''],
      ),
    clear: () =>
      inTransaction(database, () => {
        for (const table of TABLES) run(`DELETE FROM traffic_${table}`);
      }),
  };
}

type Row = Readonly<Record<string, string | number | null>>;

function instanceOf(row: Row): RecordedInstance {
  return {
    lane: String(row['lane']),
    name: String(row['name']),
    server: String(row['server'] ?? row['name']),
    address: String(row['address']),
    port: Number(row['port']),
    isDraining: row['is_draining'] === 1,
    ...(row['protocol'] === 'h1' || row['protocol'] === 'h2' ? { protocol: row['protocol'] } : {}),
  };
}

function routeOf(row: Row): [RouteId, RouteShare] {
  const candidate = row['candidate'];
  const share = {
    stable: String(row['stable']),
    candidate: typeof candidate === 'string' ? candidate : null,
    weight: Number(row['weight']),
    ...(row['is_observed'] === 1 ? { observed: true } : {}),
    ...(typeof row['cohorts'] === 'string' ? { cohorts: JSON.parse(row['cohorts']) as Cohort[] } : {}),
  };
  return [String(row['route']), share];
}

function previewOf(row: Row): [RouteId, Preview] {
  const match = JSON.parse(String(row['match'])) as PreviewMatch;
  return [String(row['route']), { lane: String(row['lane']), match }];
}

function optionsOf(row: Row): [RouteId, RouteOptions] {
  return [String(row['route']), JSON.parse(String(row['options'])) as RouteOptions];
}

function tcpRouteOf(row: Row): [RouteId, readonly TcpTarget[]] {
  return [String(row['route']), JSON.parse(String(row['targets'])) as TcpTarget[]];
}

function portOf(row: Row): RecordedPort {
  const [hostAddress, host, path] = [row['host_address'], row['host'], row['path']].map(String);
  return {
    port: Number(row['port']),
    protocol: row['protocol'] as RecordedPort['protocol'],
    route: String(row['route']),
    ...(hostAddress === '' || hostAddress === undefined ? {} : { hostAddress }),
    ...(host === '' || host === undefined ? {} : { host }),
    ...(path === '' || path === undefined ? {} : { path }),
    ...(typeof row['slot'] === 'number' ? { slot: row['slot'] } : {}),
    ...(row['is_tls'] === 1 ? { tls: true } : {}),
  };
}
