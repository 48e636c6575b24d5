import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../lib/database.ts';
import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';
import { createAccessLog } from './access-log.ts';
import { chooseDoor, keepDoor } from './haproxy/doors.ts';
import { createHttpProxy } from './haproxy/proxy.ts';
import { socketPathOf } from './haproxy/render-haproxy.ts';
import { openTrafficKeys } from './keys.ts';
import { createRequests } from './requests.ts';
import { openCertificates } from './certificate-store.ts';
import type { Doors } from './ports.ts';
import { type DoorName, openTrafficRecord, type TrafficRecord } from './state.ts';
import { createTraffic } from './switchboard.ts';
import type { Traffic } from './traffic.ts';

export interface TrafficOptions {
  readonly scope: Scope;
  /** Our own folder for state that survives a reboot, e.g. `<root>/delivery/traffic`; made when absent. */
  readonly directory: string;
  readonly log: Log;
  /** Size of the pool of lanes; two for each service that is being replaced, one for each other. Default 256. */
  readonly laneCount?: number;
  /** Folder of the access logs; default `<root>/delivery/access`. */
  readonly accessLogDirectory?: string;
  /** Connections that one client address may have open (this machine and private networks: as many as they like); 0: no limit. */
  readonly connectionsPerClient?: number;
  /** The HAProxy program; default: found on the PATH. */
  readonly haproxy?: string;
}

const DEFAULT_LANE_COUNT = 256;
/** Many people may share one address; a whole office stays below this. */
const DEFAULT_CONNECTIONS_PER_CLIENT = 2_000;

/**
 * Opens the traffic port of one scope. Nothing is started or changed until `ensure()`.
 * @throws UserError `program-missing` or `haproxy-unsupported`
 */
export async function openTraffic({ scope, directory, log, ...rest }: TrafficOptions): Promise<Traffic> {
  await mkdir(directory, { recursive: true });
  const database = openDatabase(join(directory, 'traffic.db'));
  const certificates = await openCertificates(join(directory, 'certificates'));
  const record = openTrafficRecord(database, certificates);
  const laneCount = rest.laneCount ?? DEFAULT_LANE_COUNT;
  const runDirectory = join(scope.runDirectory, 'haproxy');
  const doors = await rememberedDoors(record, scope.runDirectory);
  const keys = await openTrafficKeys(directory);
  const proxy = await createHttpProxy({
    program: rest.haproxy ?? 'haproxy',
    runDirectory,
    laneCount,
    doors,
    keys,
    connectionsPerClient: rest.connectionsPerClient ?? DEFAULT_CONNECTIONS_PER_CLIENT,
    log,
  });
  const accessLogDirectory = rest.accessLogDirectory ?? join(scope.root, 'delivery', 'access');
  const accessLog = createAccessLog({ directory: accessLogDirectory, log });
  const requests = createRequests({
    socketPath: socketPathOf(runDirectory),
    accessLog,
    instanceOn: (at) => record.instanceOn(at),
    log,
  });
  const table = scope.suffix === '' ? 'bascule_traffic' : `bascule_traffic_${scope.suffix}`;
  return createTraffic({
    record,
    certificates,
    proxy,
    requests,
    table,
    laneCount,
    doors,
    keys,
    runDirectory,
    log,
    onClose: () => database.close(),
  });
}

/** Chosen once: a running proxy of ours has them, and rules of the kernel lead to them. */
async function rememberedDoors(record: TrafficRecord, runDirectory: string): Promise<Doors> {
  const doorOf = async (name: DoorName, taken: readonly number[]): Promise<number> => {
    const remembered = record.door(name);
    const port = remembered ?? (await chooseDoor(runDirectory, taken));
    if (remembered === undefined) record.rememberDoor(name, port);
    else await keepDoor(runDirectory, port);
    return port;
  };
  const httpPort = await doorOf('http-port', []);
  return { httpPort, tlsPort: await doorOf('tls-port', [httpPort]) };
}
