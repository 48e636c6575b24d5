import type { HttpProxy } from './haproxy/proxy.ts';
import type { TrafficRecord } from './state.ts';
import type { Moved } from './traffic.ts';

/** What all changes are made with. */
export interface Hands {
  readonly record: TrafficRecord;
  readonly proxy: HttpProxy;
  readonly laneCount: number;
  /** Our nftables table. */
  readonly table: string;
  /** One change after the other; one that fails does not stop the next. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Runs `work` on the proxy. One that died meanwhile is started again, with all that the record says: then there is
   * nothing to give.
   */
  applyProxy<T>(work: () => Promise<T>): Promise<T | undefined>;
  applyKernel(): Promise<Moved>;
}
