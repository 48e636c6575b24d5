import type { Log } from '../../lib/log.ts';
import type { ImageStore, MountCalls } from '../image/index.ts';
import type { Networks } from '../network/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { OciRuntime } from './argv.ts';
import type { RuntimePaths } from './paths.ts';
import type { Machine } from './render-spec.ts';

/** What containers are made with on this machine. */
export interface Host {
  readonly machine: Machine;
  readonly runtime: OciRuntime;
  readonly paths: RuntimePaths;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly log: Log;
  /** Undefined where only mount(8) can. */
  readonly mountCalls: MountCalls | undefined;
}
