import type { Log } from '../../lib/log.ts';
import type { World } from './execute/world.ts';
import type { Asides } from './execute/asides.ts';
import type { Journal } from './execute/journal.ts';
import type { ProjectLocks } from './execute/locks.ts';
import type { Observation } from './judge/observation.ts';
import type { Witness } from './ledger/witness.ts';

/** What the use cases of delivery are made of. */
export interface Parts extends World {
  readonly journal: Journal;
  readonly locks: ProjectLocks;
  /** What goes on beside those who hold a project. */
  readonly asides: Asides;
  /** Which routes report their requests. */
  readonly observation: Observation;
  /** Writes down how rollouts go over time, and probes meanwhile. */
  readonly witness: Witness;
  readonly log: Log;
  /** Starts or adopts the proxy, the first time. */
  ensureTraffic(): Promise<void>;
  /** Ends the proxy: nothing is served any more. */
  stopTraffic(): Promise<void>;
  /** Fires when the daemon ends. */
  readonly stopping: AbortSignal;
}
