import type { Readable } from 'node:stream';
import type { Log } from '../../../lib/log.ts';
import type { Descriptor, Digest, ImageConfig, Platform } from '../../../lib/oci/index.ts';
import type { ImageRecord, ImageStore } from '../../image/index.ts';

/** What a registry wants to know of somebody. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` and credential helpers keep it. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token that is sent as it is. */
  | { readonly kind: 'registry-token'; readonly token: string };

/** @param registry as references have it, e.g. `docker.io`, `localhost:5000` */
export type FindCredential = (registry: string) => Promise<Credential | undefined>;

export interface RegistrySettings {
  /** By registry: addresses that are asked first for what is pulled, e.g. `https://mirror.example.org`. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /** Registries that may be spoken to without TLS, or with certificates that nobody knows; loopback always may. */
  readonly insecure: readonly string[];
  /** Folders with a folder for each registry (`ca.crt`, `client.cert`, `client.key`), as Docker's `certs.d`. */
  readonly certificateFolders: readonly string[];
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`. */
  readonly proxyEnvironment: Readonly<Record<string, string>>;
}

export interface RegistryClientOptions {
  readonly images: ImageStore;
  /** The client's own, for what is half uploaded; emptied at open. */
  readonly directory: string;
  readonly settings: RegistrySettings;
  /** Where a request brings none of its own. */
  readonly findCredential: FindCredential;
  readonly log: Log;
  /** For tests. */
  readonly limits?: Partial<TransferLimits>;
}

export interface TransferLimits {
  /** Of silence on a connection. */
  readonly idleMs: number;
  /** Of one request, or of one blob without a byte of it coming. */
  readonly attempts: number;
  /** The wait before the second attempt. */
  readonly firstDelayMs: number;
  /** Of a layer's archive; what the disk has room for when absent. */
  readonly layerBytes: number;
}

/** What happens to one blob, or to the whole, as it comes. */
export type TransferEvent =
  | { readonly kind: 'started'; readonly text: string; readonly reference: string }
  | {
      readonly kind: 'layer';
      readonly digest: Digest;
      readonly state:
        | 'waiting'
        | 'exists'
        | 'downloading'
        | 'downloaded'
        | 'unpacked'
        | 'preparing'
        | 'uploading'
        | 'uploaded'
        | 'mounted'
        | 'retrying';
      readonly bytes?: number;
      readonly totalBytes?: number;
      /** With `mounted`: the repository; with `retrying`: the reason. */
      readonly detail?: string;
    };

export interface TransferOptions {
  readonly credential?: Credential;
  readonly onProgress?: (event: TransferEvent) => void;
  readonly signal?: AbortSignal;
}

export interface PullOptions extends TransferOptions {
  /** Ours when absent. */
  readonly platform?: Platform;
}

export interface PulledImage {
  readonly image: ImageRecord;
  /** Of what the reference names: an index or a manifest. */
  readonly digest: Digest;
  /** The reference names another image than before, or none before. */
  readonly isNew: boolean;
}

export interface PushedImage {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A document of a registry, verified. */
export interface FetchedManifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
}

export interface ResolvedImage {
  /** Of what the reference names: an index or a manifest. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Of an index: what it has images for. */
  readonly platforms: readonly Platform[];
  /** The manifest for the platform. */
  readonly manifest: FetchedManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Buffer; readonly value: ImageConfig };
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
}

/** A blob to be pushed; `open` may be called again when an upload breaks off. */
export interface BlobSource {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** The bytes from this offset on. */
  open(offset: number): Readable;
}

export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

export interface SearchOptions {
  readonly term: string;
  /** Most results. */
  readonly limit: number;
}

/**
 * Pulls from and pushes to registries (OCI Distribution Specification 1.1). References are what people write; what
 * comes is verified, and nothing is visible before it is.
 * @throws UserError of all: `registry-unreachable`, `registry-denied`, `registry-refused`, `registry-invalid` (what it
 *   sends is broken or hostile), `manifest-unknown`, `platform-unknown`, `transfer-cancelled`, `invalid-reference`
 */
export interface RegistryClient {
  pull(reference: string, o: PullOptions): Promise<PulledImage>;
  /** Pushes the image that has this name here. */
  push(reference: string, o: TransferOptions): Promise<PushedImage>;
  resolve(reference: string, o: PullOptions): Promise<ResolvedImage>;
  /** All tags of a repository; the tag of the reference does not matter. */
  tags(reference: string, o: TransferOptions): Promise<readonly string[]>;
  /** Repositories of a registry whose names have a term. @param registry as references have it, e.g. `docker.io` */
  search(registry: string, o: SearchOptions & TransferOptions): Promise<readonly FoundRepository[]>;
  /** Asks the registry whether it knows somebody. @returns a token to keep instead of the password, where it gives one */
  login(registry: string, o: { credential: Credential; signal?: AbortSignal }): Promise<{ identityToken?: string }>;

  /** Whatever the reference names: for caches, referrers and the like. */
  fetchManifest(reference: string, o: TransferOptions): Promise<FetchedManifest>;
  /** A small blob. @throws UserError `registry-invalid` where it has more than `maxBytes` */
  fetchBlob(
    reference: string,
    o: TransferOptions & { digest: Digest; sizeBytes: number; maxBytes?: number },
  ): Promise<Buffer>;
  /** The layers of a manifest come into the store, for whoever registers an image next. `diffIds` as the layers. */
  fetchLayers(
    reference: string,
    o: TransferOptions & { layers: readonly Descriptor[]; diffIds: readonly Digest[] },
  ): Promise<void>;
  /** Layers of the store, as a manifest names them. */
  pushLayers(reference: string, o: TransferOptions & { diffIds: readonly Digest[] }): Promise<readonly Descriptor[]>;
  pushBlob(reference: string, o: TransferOptions & { blob: BlobSource }): Promise<void>;
  /** By the tag of the reference; by its digest where it has one. */
  pushManifest(reference: string, o: TransferOptions & { mediaType: string; bytes: Buffer }): Promise<Digest>;
  close(): Promise<void>;
}
