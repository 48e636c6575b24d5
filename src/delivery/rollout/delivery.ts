import type { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';
import type { Fleet } from '../fleet/index.ts';
import type { Delivery } from './face.ts';
import type { Traffic } from '../traffic/index.ts';

export interface DeliveryOptions {
  /** `<root>/delivery/delivery.db`, opened with lib/database. */
  readonly database: DatabaseSync;
  /** `<root>/delivery`: versions of configs and secrets lie beneath it. */
  readonly directory: string;
  readonly fleet: Fleet;
  readonly traffic: Traffic;
  readonly log: Log;
  now(): Date;
}

/** The delivery wing over one fleet and one traffic port. Call `resume()` before the first request. */
export function createDelivery(_options: DeliveryOptions): Delivery {
  throw new Error('not built yet');
}
