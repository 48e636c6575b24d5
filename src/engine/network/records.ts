import type { DatabaseSync } from 'node:sqlite';
import { inTransaction, migrate, withoutSync } from '../../lib/database.ts';
import type { EndpointRow, NetworkRow, SandboxRow, SandboxSettings, ViewRow } from './rows.ts';
import { SandboxMemory } from './sandbox-memory.ts';
import type { PortBinding, PortProtocol } from './types.ts';

export type { EndpointRow, NetworkRow, SandboxRow, ViewRow } from './rows.ts';

const SCHEMA = {
  room: 'network',
  statements: [
    `CREATE TABLE networks (
       id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, subnet TEXT NOT NULL, gateway TEXT NOT NULL,
       ip_range TEXT NOT NULL, internal INTEGER NOT NULL, attachable INTEGER NOT NULL, predefined INTEGER NOT NULL,
       labels TEXT NOT NULL, options TEXT NOT NULL, bridge TEXT NOT NULL, mtu INTEGER NOT NULL, cursor TEXT,
       created_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE sandboxes (id TEXT PRIMARY KEY, name TEXT NOT NULL, settings TEXT NOT NULL) STRICT;
     CREATE TABLE endpoints (
       endpoint_id TEXT PRIMARY KEY, sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
       network_id TEXT NOT NULL REFERENCES networks (id), position INTEGER NOT NULL, address TEXT NOT NULL,
       mac_address TEXT NOT NULL, interface_name TEXT NOT NULL, aliases TEXT NOT NULL,
       UNIQUE (network_id, address), UNIQUE (network_id, sandbox_id)
     ) STRICT;
     CREATE INDEX endpoints_of_sandbox ON endpoints (sandbox_id, position);
     CREATE TABLE ports (
       sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE, container_port INTEGER NOT NULL,
       protocol TEXT NOT NULL, host_address TEXT NOT NULL, host_port INTEGER NOT NULL,
       UNIQUE (protocol, host_address, host_port)
     ) STRICT;
     CREATE TABLE views (
       key TEXT PRIMARY KEY, home_network_id TEXT NOT NULL REFERENCES networks (id), address TEXT NOT NULL,
       UNIQUE (home_network_id, address)
     ) STRICT;`,
  ],
};

export type Records = ReturnType<typeof openRecords>;

/**
 * The tables of this room. All calls are synchronous; `together` makes several of them one transaction. What it is for,
 * sandboxes, is gone with the machine's power, so it need not wait for the disk.
 */
export function openRecords(database: DatabaseSync) {
  migrate(database, SCHEMA);
  const networks = networkTable(database);
  const { forgetSandboxes, ...sandboxes } = sandboxTables(database);
  return {
    ...networks.face,
    ...sandboxes,
    ...viewTable(database),
    together<T>(work: () => T): T {
      try {
        return withoutSync(database, () => inTransaction(database, work));
      } catch (error) {
        networks.forget();
        forgetSandboxes();
        throw error;
      }
    },
  };
}

function networkTable(database: DatabaseSync) {
  const insert = database.prepare('INSERT INTO networks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)');
  const all = database.prepare('SELECT * FROM networks ORDER BY created_at, rowid');
  const remove = database.prepare('DELETE FROM networks WHERE id = ?');
  const place = database.prepare('UPDATE networks SET subnet = ?, gateway = ?, mtu = ? WHERE id = ?');
  const setCursor = database.prepare('UPDATE networks SET cursor = ? WHERE id = ?');
  const cursor = database.prepare('SELECT cursor FROM networks WHERE id = ?');
  let known: readonly NetworkRow[] | undefined;
  const forget = (): void => void (known = undefined);
  const face = {
    networks: (): readonly NetworkRow[] => (known ??= all.all().map(toNetwork)),
    addNetwork(row: NetworkRow): void {
      const { id, name, driver, subnet, gateway, ipRange, bridge, mtu } = row;
      const flags = [row.internal, row.attachable, row.predefined].map(Number);
      const texts = [row.labels, row.options].map((value) => JSON.stringify(value));
      insert.run(id, name, driver, subnet, gateway, ipRange, ...flags, ...texts, bridge, mtu, row.createdAt.getTime());
      forget();
    },
    removeNetwork(id: string): void {
      remove.run(id);
      forget();
    },
    placeNetwork(o: { id: string; subnet: string; gateway: string; mtu: number }): void {
      place.run(o.subnet, o.gateway, o.mtu, o.id);
      forget();
    },
    /** The address given last on a network. */
    cursorOf: (id: string): string | undefined => optionalText(cursor.get(id)?.['cursor']),
    setCursor: (id: string, address: string): void => void setCursor.run(address, id),
  };
  return { face, forget };
}

function sandboxTables(database: DatabaseSync) {
  const insertSandbox = database.prepare('INSERT INTO sandboxes VALUES (?, ?, ?)');
  const insertPort = database.prepare('INSERT INTO ports VALUES (?, ?, ?, ?, ?)');
  const insertEndpoint = database.prepare('INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const rename = database.prepare('UPDATE sandboxes SET name = ? WHERE id = ?');
  const removeSandbox = database.prepare('DELETE FROM sandboxes WHERE id = ?');
  const removeEndpoint = database.prepare('DELETE FROM endpoints WHERE endpoint_id = ?');
  const sandboxes = database.prepare('SELECT * FROM sandboxes ORDER BY rowid');
  const endpoints = database.prepare('SELECT * FROM endpoints ORDER BY position');
  const ports = database.prepare('SELECT * FROM ports ORDER BY rowid');
  const addEndpoint = (row: EndpointRow): void => {
    const { endpointId, sandboxId, networkId, position, address, macAddress, interfaceName } = row;
    const aliases = JSON.stringify(row.aliases);
    insertEndpoint.run(endpointId, sandboxId, networkId, position, address, macAddress, interfaceName, aliases);
  };
  const memory = new SandboxMemory(() => {
    const endpointsBySandbox = Map.groupBy(endpoints.all().map(toEndpoint), (row) => row.sandboxId);
    const portsBySandbox = Map.groupBy(ports.all(), (row) => text(row['sandbox_id']));
    return sandboxes.all().map((row) => ({
      id: text(row['id']),
      name: text(row['name']),
      settings: JSON.parse(text(row['settings'])) as SandboxSettings,
      endpoints: endpointsBySandbox.get(text(row['id'])) ?? [],
      ports: (portsBySandbox.get(text(row['id'])) ?? []).map(toPort),
    }));
  });
  return {
    forgetSandboxes: (): void => memory.forget(),
    sandboxes: (): readonly SandboxRow[] => memory.all(),
    sandbox: (id: string): SandboxRow | undefined => memory.find(id),
    addSandbox(row: SandboxRow): void {
      insertSandbox.run(row.id, row.name, JSON.stringify(row.settings));
      for (const endpoint of row.endpoints) addEndpoint(endpoint);
      for (const port of row.ports)
        insertPort.run(row.id, port.containerPort, port.protocol, port.hostAddress, port.hostPort);
      memory.put(row);
    },
    renameSandbox(id: string, name: string): void {
      rename.run(name, id);
      memory.rename(id, name);
    },
    removeSandbox(id: string): void {
      removeSandbox.run(id);
      memory.remove(id);
    },
    addEndpoint(row: EndpointRow): void {
      addEndpoint(row);
      memory.addEndpoint(row);
    },
    removeEndpoint(id: string): void {
      removeEndpoint.run(id);
      memory.removeEndpoint(id);
    },
  };
}

function viewTable(database: DatabaseSync) {
  const all = database.prepare('SELECT * FROM views');
  const insert = database.prepare('INSERT INTO views VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM views WHERE key = ?');
  return {
    views: (): readonly ViewRow[] =>
      all.all().map((row) => ({
        key: text(row['key']),
        homeNetworkId: text(row['home_network_id']),
        address: text(row['address']),
      })),
    addView: (row: ViewRow): void => void insert.run(row.key, row.homeNetworkId, row.address),
    removeView: (key: string): void => void remove.run(key),
  };
}

type Row = Record<string, unknown>;

function toNetwork(row: Row): NetworkRow {
  return {
    id: text(row['id']),
    name: text(row['name']),
    driver: text(row['driver']),
    subnet: text(row['subnet']),
    gateway: text(row['gateway']),
    ipRange: text(row['ip_range']),
    internal: row['internal'] === 1,
    attachable: row['attachable'] === 1,
    predefined: row['predefined'] === 1,
    labels: JSON.parse(text(row['labels'])) as Record<string, string>,
    options: JSON.parse(text(row['options'])) as Record<string, string>,
    bridge: text(row['bridge']),
    mtu: Number(row['mtu']),
    createdAt: new Date(Number(row['created_at'])),
  };
}

function toEndpoint(row: Row): EndpointRow {
  return {
    endpointId: text(row['endpoint_id']),
    sandboxId: text(row['sandbox_id']),
    networkId: text(row['network_id']),
    position: Number(row['position']),
    address: text(row['address']),
    macAddress: text(row['mac_address']),
    interfaceName: text(row['interface_name']),
    aliases: JSON.parse(text(row['aliases'])) as string[],
  };
}

function toPort(row: Row): PortBinding {
  return {
    containerPort: Number(row['container_port']),
    protocol: text(row['protocol']) as PortProtocol,
    hostAddress: text(row['host_address']),
    hostPort: Number(row['host_port']),
  };
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`not a text column: ${String(value)}`);
  return value;
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
