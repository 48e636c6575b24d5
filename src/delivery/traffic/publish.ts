import type { Hands } from './hands.ts';
import { assertMatch, assertPortKey, assertRoute } from './names.ts';
import { holderOf, otherTableWith } from './nft/kernel.ts';
import { conflictOf, isSamePort, normalisedMatch, portInUse, portPublished, slotFor } from './ports.ts';
import type { PortHolder, PortKey, RouteMatch, Traffic } from './traffic.ts';

type PortChanges = Pick<Traffic, 'publishPort' | 'unpublishPort' | 'portHolder'>;

export function portChanges({ record, proxy, table, inTurn, applyProxy, applyKernel }: Hands): PortChanges {
  async function holder(port: PortKey): Promise<PortHolder | undefined> {
    if (record.read().ports.some((published) => isSamePort(published, port))) return undefined;
    const listener = await holderOf(port);
    if (listener !== undefined) return listener;
    const other = await otherTableWith(port, table);
    return other === undefined ? undefined : { address: `nftables table ${other}`, program: 'another bascule daemon' };
  }

  async function change(put: () => void): Promise<void> {
    const before = record.read();
    put();
    await applyProxy(() => proxy.applyPorts({ before, after: record.read() }));
    await applyKernel();
  }

  return {
    publishPort: (wanted) =>
      inTurn(async () => {
        const port = normalised(wanted);
        assertPortKey(port);
        assertMatch(port);
        assertRoute(port.route);
        const { ports } = record.read();
        const conflict = conflictOf(port, ports);
        if (conflict !== undefined) throw portPublished(port, conflict);
        const found = await holder(port);
        if (found !== undefined) throw portInUse(port, found);
        const slot = slotFor(port, ports);
        await change(() => record.putPort(slot === undefined ? port : { ...port, slot }));
      }),
    unpublishPort: (port) => inTurn(() => change(() => record.removePort(normalised(port)))),
    portHolder: (port) => holder(normalised(port)),
  };
}

const EVERY_ADDRESS = new Set(['', '0.0.0.0', '::']);

/** One way to write each port: every address of the host by none, matches as they are compared. */
function normalised<T extends PortKey & RouteMatch>(port: T): T {
  const match = normalisedMatch(port);
  if (match.hostAddress === undefined || !EVERY_ADDRESS.has(match.hostAddress)) return match;
  const { hostAddress: _, ...rest } = match;
  return rest as T;
}
