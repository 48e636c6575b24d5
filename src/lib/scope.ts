import { resolve } from 'node:path';
import { lateCrypto } from './late-crypto.ts';

/** Where one daemon keeps its things. Two daemons with different roots run side by side on one machine. */
export interface Scope {
  /** State that must survive a reboot, e.g. `/var/lib/bascule`. */
  readonly root: string;
  /** Sockets, pids, network namespaces: gone after a reboot. */
  readonly runDirectory: string;
  /** Ends the names of machine-wide objects (nft tables, cgroups); empty for the default root, else 8 hex digits. */
  readonly suffix: string;
}

export const DEFAULT_ROOT = '/var/lib/bascule';

export function scopeOf(root: string): Scope {
  const absolute = resolve(root);
  if (absolute === DEFAULT_ROOT) return { root: absolute, runDirectory: '/run/bascule', suffix: '' };
  const suffix = lateCrypto().createHash('sha256').update(absolute).digest('hex').slice(0, 8);
  return { root: absolute, runDirectory: `/run/bascule-${suffix}`, suffix };
}
