/**
 * A daemon of its own process, to be killed: opens the sandboxes `keeper` (port 8080, networks shop and vault) and
 * `goner`, prints their ids, and begins to open and close others without end.
 */
import { openNamed, openTestNetworks, TEST_ROOT } from './network-daemon.ts';

const networks = await openTestNetworks({ root: process.env['ROOT'] ?? TEST_ROOT });
await networks.create({ name: 'shop' });
await networks.create({ name: 'vault', internal: true });
const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8080 }] as const;
const keeper = await openNamed(networks, 'keeper', { on: ['shop', 'vault'], ports });
const goner = await openNamed(networks, 'goner', { on: ['shop'] });
console.log(JSON.stringify([keeper.id, goner.id]));
for (;;) {
  const some = [{ containerPort: 80, protocol: 'tcp' }] as const;
  const other = await openNamed(networks, 'other', { on: ['shop', 'vault'], ports: some });
  await networks.closeSandbox(other.id);
}
