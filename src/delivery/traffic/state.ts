import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate } from '../../lib/database.ts';
import type { RecordedPort } from './ports.ts';
import type { LaneId, PortKey, RouteId, RouteShare, TcpTarget } from './traffic.ts';

/** An instance as it should stand in the proxy. */
export interface RecordedInstance {
  readonly lane: LaneId;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly isDraining: boolean;
}

/** What traffic should look like. The proxy and the kernel hold copies of it that can be made again at any time. */
export interface Intent {
  readonly instances: readonly RecordedInstance[];
  readonly routes: ReadonlyMap<RouteId, RouteShare>;
  readonly tcpRoutes: ReadonlyMap<RouteId, readonly TcpTarget[]>;
  readonly ports: readonly RecordedPort[];
}

/**
 * The durable record. Every change is written here first and applied afterwards: whatever dies in between, the next
 * `ensure()` applies it.
 */
export interface TrafficRecord {
  read(): Intent;
  httpPort(): number | undefined;
  rememberHttpPort(port: number): void;
  putInstance(instance: RecordedInstance): void;
  removeInstance(lane: LaneId, name: string): void;
  putRoutes(shares: ReadonlyMap<RouteId, RouteShare>): void;
  putTcpRoute(route: RouteId, targets: readonly TcpTarget[]): void;
  removeRoute(route: RouteId): void;
  putPort(port: RecordedPort): void;
  removePort(port: PortKey): void;
  clear(): void;
}

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
  ],
};

export function openTrafficRecord(database: DatabaseSync): TrafficRecord {
  migrate(database, SCHEMA);
  const run = (sql: string, ...values: readonly (string | number | null)[]): void => {
    database.prepare(sql).run(...values);
  };
  const rows = (sql: string): readonly Row[] => database.prepare(sql).all() as readonly Row[];
  const setting = (name: string): string | undefined =>
    database.prepare('SELECT value FROM traffic_setting WHERE name = ?').get(name)?.['value'] as string | undefined;

  return {
    read: () => ({
      instances: rows('SELECT * FROM traffic_instance ORDER BY lane, name').map(instanceOf),
      routes: new Map(rows('SELECT * FROM traffic_route ORDER BY route').map(routeOf)),
      tcpRoutes: new Map(rows('SELECT * FROM traffic_tcp_route ORDER BY route').map(tcpRouteOf)),
      ports: rows('SELECT * FROM traffic_port ORDER BY port, protocol, host_address').map(portOf),
    }),
    httpPort() {
      const value = setting('http-port');
      return value === undefined ? undefined : Number(value);
    },
    rememberHttpPort: (port) => run('INSERT OR REPLACE INTO traffic_setting VALUES (?, ?)', 'http-port', String(port)),
    putInstance: ({ lane, name, address, port, isDraining }) =>
      run(
        'INSERT OR REPLACE INTO traffic_instance VALUES (?, ?, ?, ?, ?)',
        lane,
        name,
        address,
        port,
        Number(isDraining),
      ),
    removeInstance: (lane, name) => run('DELETE FROM traffic_instance WHERE lane = ? AND name = ?', lane, name),
    putRoutes: (shares) =>
      inTransaction(database, () => {
        for (const [route, { stable, candidate, weight }] of shares) {
          run('INSERT OR REPLACE INTO traffic_route VALUES (?, ?, ?, ?)', route, stable, candidate, weight);
        }
      }),
    putTcpRoute: (route, targets) =>
      run('INSERT OR REPLACE INTO traffic_tcp_route VALUES (?, ?)', route, JSON.stringify(targets)),
    removeRoute: (route) =>
      inTransaction(database, () => {
        run('DELETE FROM traffic_route WHERE route = ?', route);
        run('DELETE FROM traffic_tcp_route WHERE route = ?', route);
      }),
    putPort: ({ port, protocol, hostAddress, route, slot }) =>
      run(
        'INSERT OR REPLACE INTO traffic_port VALUES (?, ?, ?, ?, ?)',
        port,
        protocol,
        hostAddress ?? '',
        route,
        slot ?? null,
      ),
    removePort: ({ port, protocol, hostAddress }) =>
      run(
        'DELETE FROM traffic_port WHERE port = ? AND protocol = ? AND host_address = ?',
        port,
        protocol,
        hostAddress ?? '',
      ),
    clear: () =>
      inTransaction(database, () => {
        for (const table of ['instance', 'route', 'tcp_route', 'port']) run(`DELETE FROM traffic_${table}`);
      }),
  };
}

type Row = Readonly<Record<string, string | number | null>>;

function instanceOf(row: Row): RecordedInstance {
  return {
    lane: String(row['lane']),
    name: String(row['name']),
    address: String(row['address']),
    port: Number(row['port']),
    isDraining: row['is_draining'] === 1,
  };
}

function routeOf(row: Row): [RouteId, RouteShare] {
  const candidate = row['candidate'];
  const share = {
    stable: String(row['stable']),
    candidate: typeof candidate === 'string' ? candidate : null,
    weight: Number(row['weight']),
  };
  return [String(row['route']), share];
}

function tcpRouteOf(row: Row): [RouteId, readonly TcpTarget[]] {
  return [String(row['route']), JSON.parse(String(row['targets'])) as TcpTarget[]];
}

function portOf(row: Row): RecordedPort {
  const hostAddress = String(row['host_address']);
  return {
    port: Number(row['port']),
    protocol: row['protocol'] as RecordedPort['protocol'],
    route: String(row['route']),
    ...(hostAddress === '' ? {} : { hostAddress }),
    ...(typeof row['slot'] === 'number' ? { slot: row['slot'] } : {}),
  };
}
