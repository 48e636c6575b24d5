import type { Log } from '../../../lib/log.ts';
import type { Fleet } from '../fleet.ts';

/** A fleet behind any Docker Engine API socket: the embedded engine's, dockerd's, Podman's. */
export function openDockerFleet(_o: { readonly socketPath: string; readonly log: Log }): Fleet {
  return { kind: 'docker' };
}
