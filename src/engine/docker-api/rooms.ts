import type { Builder } from '../build/index.ts';
import type { ImageStore } from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import type { Networks } from '../network/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { EventHub } from './engine-events.ts';

/** The engine's rooms behind the door; each group of routes takes those that it needs. */
export interface Rooms {
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly runtime: Runtime;
  readonly builder: Builder;
  /** What is pulled and pushed. */
  readonly registry: RegistryClient;
  readonly events: EventHub;
  readonly host: Host;
}

/** What answers say of this machine and of this daemon. */
export interface Host {
  /** Bascule's version. */
  readonly version: string;
  readonly hostname: string;
  /** In Go's names, e.g. `amd64`. */
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly operatingSystemVersion: string;
  readonly onlineCpus: number;
  readonly memoryBytes: number;
  /** `<root>/engine`. */
  readonly directory: string;
  /** Names this engine as long as its root lives. */
  readonly id: string;
}
