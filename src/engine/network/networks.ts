import type { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';
import type { Networks } from './types.ts';

export interface NetworksOptions {
  readonly scope: Scope;
  /** `<root>/engine/networks`. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly log: Log;
}

export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  throw new Error(`not built yet: ${options.directory}`);
}
