import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';
import type { Traffic } from './traffic.ts';

export interface TrafficOptions {
  readonly scope: Scope;
  /** Our own folder for state that survives a reboot, e.g. `<root>/delivery/traffic`; made when absent. */
  readonly directory: string;
  readonly log: Log;
  /** Size of the pool of lanes; two for each service that is being replaced, one for each other. Default 256. */
  readonly laneCount?: number;
  /** The HAProxy program; default: found on the PATH. */
  readonly haproxy?: string;
}

/** Opens the traffic port of one scope. Nothing runs until `ensure()`. */
export function openTraffic(_options: TrafficOptions): Promise<Traffic> {
  throw new Error('not built yet');
}
