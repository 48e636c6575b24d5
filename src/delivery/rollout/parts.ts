import type { Log } from '../../lib/log.ts';
import type { World } from './handlers.ts';
import type { Journal } from './journal.ts';
import type { ProjectLocks } from './locks.ts';

/** What the use cases of delivery are made of. */
export interface Parts extends World {
  readonly journal: Journal;
  readonly locks: ProjectLocks;
  readonly log: Log;
  /** Fires when the daemon ends. */
  readonly stopping: AbortSignal;
}
