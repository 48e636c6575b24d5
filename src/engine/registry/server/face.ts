import type { Log } from '../../../lib/log.ts';
import type { ImageStore } from '../../image/index.ts';
import type { Authentication } from './auth/access.ts';
import type { Action, RightsRule } from './auth/rights.ts';
import type { CatalogueFigures } from './figures.ts';
import type { S3Settings } from './storage/s3.ts';

/** Where a registry listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Certificate chain and key, PEM; read again when they change. */
export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export type StorageSettings = { readonly kind: 'file-system' } | ({ readonly kind: 's3' } & S3Settings);

export interface RegistryServerSettings {
  readonly listen: ListenAddress;
  readonly tls: TlsFiles | undefined;
  readonly storage: StorageSettings;
  readonly authentication: Authentication;
  readonly rules: readonly RightsRule[];
  /** What may be done without a password, in every repository. */
  readonly anonymous: readonly Action[];
  /** Nothing can be pushed or deleted. */
  readonly readOnly: boolean;
  /** Larger blobs are refused. */
  readonly blobLimitBytes: number;
  readonly connectionLimit: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleTimeoutMs: number;
  /** An upload to which nothing comes for so long is dropped. */
  readonly uploadExpiryMs: number;
  /** What was pushed or asked for within this time is not collected. */
  readonly graceMs: number;
  /** How often it is collected; undefined: only when somebody says so. */
  readonly collectEveryMs: number | undefined;
  /** Prometheus' metrics; undefined: none. */
  readonly metricsListen: ListenAddress | undefined;
}

export interface RegistryServerOptions {
  /** The registry's own folder: database, blobs, uploads. */
  readonly directory: string;
  readonly settings: RegistryServerSettings;
  /** The engine's store, whose layers and configurations are blobs without a copy. */
  readonly images: ImageStore | undefined;
  readonly log: Log;
  readonly version: string;
}

export interface CollectOptions {
  /** Only tells. */
  readonly dryRun: boolean;
  /** Manifests to which no tag leads, too. */
  readonly untagged: boolean;
  /** What was deleted until then stays so. */
  readonly signal?: AbortSignal;
}

/** What a collection deleted, or would. */
export interface Collected {
  readonly manifests: number;
  readonly blobs: number;
  /** Of the registry's own blobs. */
  readonly freedBytes: number;
  readonly uploads: number;
  readonly repositories: number;
}

export interface RegistryStatus extends CatalogueFigures {
  /** `http://127.0.0.1:5000` */
  readonly address: string;
  readonly storage: string;
  readonly authentication: Authentication['kind'];
  readonly anonymous: readonly Action[];
  readonly readOnly: boolean;
  readonly sharesEngine: boolean;
  readonly pid: number;
  readonly version: string;
  readonly metrics: string | undefined;
}

export interface RepositoryTag {
  readonly tag: string;
  readonly digest: string;
  readonly updatedAt: string;
}

/** A registry that is open; the OCI Distribution Specification 1.1 over HTTP once it listens. */
export interface RegistryServer {
  /** @throws UserError `registry-address-taken`, `registry-tls-invalid` */
  listen(): Promise<void>;
  /** Administration on a unix socket that only root may open. */
  listenForAdministration(socketPath: string): Promise<void>;
  status(): RegistryStatus;
  repositories(): readonly string[];
  /** @throws UserError `registry-repository-unknown` */
  tags(repository: string): readonly RepositoryTag[];
  /** @param reference tag or digest @throws UserError `registry-manifest-unknown` */
  remove(repository: string, reference: string): Promise<void>;
  collect(o: CollectOptions): Promise<Collected>;
  /** Breaks off what still comes in; it goes on after the next start. */
  close(): Promise<void>;
}
