import { join } from 'node:path';
import { openTraffic } from '../../src/delivery/traffic/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { scopeOf } from '../../src/lib/scope.ts';

/** Plays the daemon that will be killed: sets traffic up, says so, and waits. */
const given = JSON.parse(process.env['OWNER'] ?? '{}') as { root: string; port: number; address: string; to: number };
const traffic = await openTraffic({
  scope: scopeOf(given.root),
  directory: join(given.root, 'delivery/traffic'),
  log: silentLog,
  laneCount: 32,
});
await traffic.ensure();
await traffic.addInstance('lane-000', { name: 'app', address: given.address, port: given.to });
await traffic.setRoute('shop/web/80', { stable: 'lane-000', candidate: null, weight: 0 });
await traffic.publishPort({ port: given.port, protocol: 'http', route: 'shop/web/80' });
process.send?.('ready');
setInterval(() => {}, 60_000);
