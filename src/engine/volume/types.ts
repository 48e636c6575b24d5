import type { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';

export interface VolumeRecord {
  readonly name: string;
  readonly driver: 'local';
  /** `<directory>/<name>/_data`. */
  readonly mountpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Its name was made up by the engine. */
  readonly anonymous: boolean;
  readonly createdAt: Date;
}

export interface VolumeRequest {
  /** A fresh one of 64 hexadecimal digits when absent or empty. */
  readonly name?: string;
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
}

export interface VolumeUsage {
  readonly name: string;
  readonly sizeBytes: number;
}

export type VolumeEvent = { readonly kind: 'create' | 'destroy'; readonly volume: VolumeRecord };

export interface VolumesOptions {
  /** `<root>/engine/volumes`. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly log: Log;
}

/** Names of the containers that use a volume; empty when none does. */
export type UsersOf = (name: string) => readonly string[];

/** Docker's `local` volume driver: a folder a volume. */
export interface Volumes {
  /** The volume of that name, made if there is none. @throws UserError `volume-invalid`, `volume-conflict` */
  create(request: VolumeRequest): Promise<VolumeRecord>;
  list(): readonly VolumeRecord[];
  find(name: string): VolumeRecord | undefined;
  /** @throws UserError `volume-not-found` */
  get(name: string): VolumeRecord;
  /** For a container that starts: what the volume's options name is mounted. @throws UserError `volume-mount-failed` */
  prepare(name: string): Promise<VolumeRecord>;
  /** The folder to mount. @throws UserError `volume-not-found` */
  mountpoint(name: string): string;
  /** @throws UserError `volume-in-use`, `volume-not-found` */
  remove(name: string, o: { readonly force: boolean; usersOf: UsersOf }): Promise<void>;
  /** Removes unused volumes: anonymous ones, or all, that pass `filter`. */
  prune(o: {
    readonly all: boolean;
    usersOf: UsersOf;
    filter?: (volume: VolumeRecord) => boolean;
  }): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }>;
  /** Bytes on disk of each volume. */
  usage(signal?: AbortSignal): Promise<readonly VolumeUsage[]>;
  onEvent(listener: (event: VolumeEvent) => void): void;
}
