import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../lib/log.ts';
import type { ImageStore, MountCalls } from '../image/index.ts';
import type { Networks } from '../network/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { OciRuntime } from './argv.ts';
import { runtimeMissing } from './errors.ts';
import type { RuntimePaths } from './paths.ts';
import type { Machine } from './render-spec.ts';

/** What containers are made with on this machine. */
export interface Host {
  readonly machine: Machine;
  /** For new containers. */
  readonly runtime: OciRuntime;
  /** All that may have containers; `runtime` is the first. */
  readonly runtimes: readonly [OciRuntime, ...OciRuntime[]];
  readonly paths: RuntimePaths;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly log: Log;
  /** Undefined where only mount(8) can. */
  readonly mountCalls: MountCalls | undefined;
}

/**
 * The OCI runtime for a new container.
 * @throws UserError `runtime-missing`
 */
export function wantedRuntime({ runtime, runtimes }: Host, name: OciRuntime['name'] | undefined): OciRuntime {
  const found = name === undefined ? runtime : runtimes.find((one) => one.name === name);
  if (found === undefined) throw runtimeMissing(`${name} was asked for, and is not installed or too old`);
  return found;
}

/** The OCI runtime that a container was made with; each has its states in a folder of its own. */
export function runtimeOf({ runtime, runtimes }: Host, id: string): OciRuntime {
  return runtimes.find(({ stateDirectory }) => existsSync(join(stateDirectory, id))) ?? runtime;
}
