/** A daemon's network room for tests: opened over a root of its own on the test's own machine. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EndpointRequest, Networks, PortRequest, Sandbox } from '../../src/engine/network/index.ts';
import { openNetworks } from '../../src/engine/network/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { newId } from '../../src/lib/id.ts';
import type { Log } from '../../src/lib/log.ts';
import { silentLog } from '../../src/lib/log.ts';
import { scopeOf } from '../../src/lib/scope.ts';

export const TEST_ROOT = '/run/test-root';

export async function openTestNetworks(
  o: { live?: readonly string[]; log?: Log; root?: string } = {},
): Promise<Networks> {
  const root = o.root ?? TEST_ROOT;
  mkdirSync(join(root, 'engine'), { recursive: true });
  const database = openDatabase(join(root, 'engine', 'engine.db'));
  const directory = join(root, 'engine', 'networks');
  const networks = await openNetworks({ scope: scopeOf(root), directory, database, log: o.log ?? silentLog });
  await networks.adopt(new Set(o.live));
  return networks;
}

/** A sandbox named `name` on networks given by name or in full. */
export function openNamed(
  networks: Networks,
  name: string,
  o: {
    on: readonly (string | EndpointRequest)[];
    ports?: readonly PortRequest[];
    dns?: readonly string[];
    extraHosts?: readonly string[];
  },
): Promise<Sandbox> {
  return networks.openSandbox({
    sandboxId: newId(),
    name,
    hostname: `${name}-host`,
    endpoints: o.on.map((network) => (typeof network === 'string' ? { network } : network)),
    ports: o.ports ?? [],
    dns: o.dns ?? [],
    extraHosts: o.extraHosts ?? [],
  });
}

export function addressOf(sandbox: Sandbox, network: string): string {
  const endpoint = sandbox.endpoints.find((candidate) => candidate.networkName === network);
  if (endpoint === undefined) throw new Error(`${sandbox.name} is not on ${network}`);
  return endpoint.address;
}
