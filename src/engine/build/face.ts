import type { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import type { Log } from '../../lib/log.ts';
import type { Descriptor, Digest } from '../../lib/oci/index.ts';
import type { Scope } from '../../lib/scope.ts';
import type { ImageRecord, ImageStore } from '../image/index.ts';
import type { Networks } from '../network/index.ts';
import type { Runtime } from '../runtime/index.ts';

export interface BuilderOptions {
  readonly scope: Scope;
  /** `<root>/engine`; the builder keeps `build/` in it. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly images: ImageStore;
  readonly runtime: Pick<Runtime, 'runStep'>;
  readonly networks: Pick<Networks, 'openSandbox' | 'closeSandbox'>;
  readonly log: Log;
  /** Variables that name proxies (`https_proxy`, `no_proxy` …) for what is fetched from elsewhere. */
  readonly proxyEnvironment?: Readonly<Record<string, string>>;
  /** Whence images come that FROM or `--from` names and that are not there; caches and pushes, too. */
  readonly registry?: BuildRegistry;
}

/** Registries as a build needs them, with the logins of who builds. @throws UserError with what the registry said */
export interface BuildRegistry {
  readonly pull: PullImage;
  /** Pushes the image that has this name in the store. */
  push(reference: string, o: { readonly signal: AbortSignal; onOutput(line: string): void }): Promise<void>;
  /** A manifest that is no image's, and its configuration, both verified. */
  fetchDocument(reference: string, signal: AbortSignal): Promise<RegistryDocument>;
  /** Layers of a manifest come into the store. `diffIds` as the layers. */
  fetchLayers(
    reference: string,
    o: { readonly layers: readonly Descriptor[]; readonly diffIds: readonly Digest[]; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Layers of the store, as a manifest names them. */
  pushLayers(
    reference: string,
    o: { readonly diffIds: readonly Digest[]; readonly signal: AbortSignal },
  ): Promise<readonly Descriptor[]>;
  pushDocument(reference: string, o: RegistryDocument & { readonly signal: AbortSignal }): Promise<void>;
}

export interface RegistryDocument {
  readonly config: Buffer;
  /** Media type of the configuration. */
  readonly configType: string;
  readonly layers: readonly Descriptor[];
}

export type PullImage = (
  reference: string,
  o: { readonly platform?: string; readonly signal?: AbortSignal; onOutput(line: string): void },
) => Promise<ImageRecord>;

/** Where the files that COPY and ADD read come from. */
export type BuildContext =
  | { readonly kind: 'directory'; readonly path: string }
  /** A tar, plain or compressed with gzip, bzip2, xz or zstd, or a Dockerfile alone. */
  | { readonly kind: 'tar'; readonly stream: Readable }
  /** A git repository (`https://….git#branch:folder`, `git@host:path`), or a tar or Dockerfile at an http(s) URL. */
  | { readonly kind: 'remote'; readonly url: string };

/** What `--build-context NAME=…` gives: it goes before stages and images of that name. */
export type NamedContext =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'image'; readonly reference: string }
  /** Image in an OCI layout; `reference` is a tag or digest where the layout has several. */
  | { readonly kind: 'oci-layout'; readonly path: string; readonly reference?: string }
  | { readonly kind: 'remote'; readonly url: string };

/** Where the result goes. */
export type BuildOutput =
  /** The image store, under `tags`. */
  | {
      readonly kind: 'image';
      readonly tags?: readonly string[];
      /** To the registries that the tags name, afterwards. */
      readonly isPushed?: boolean;
    }
  /** Archives: an OCI layout, or one that is Docker's too (`docker load`). Without `tar` the layout is a folder. */
  | {
      readonly kind: 'oci' | 'docker';
      readonly path: string;
      readonly isTar: boolean;
      readonly tags?: readonly string[];
      readonly owner?: FileOwner;
    }
  /** The files of the target stage: into a folder, or as an archive. */
  | { readonly kind: 'local' | 'tar'; readonly path: string; readonly owner?: FileOwner };

/** Whom files outside the daemon's root are given to: the user who asked. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A folder that holds results of steps as an OCI layout. */
export interface LocalCache {
  readonly kind: 'local';
  readonly path: string;
  /** Of the layout's index; `latest` when absent. */
  readonly tag?: string;
}

/** A manifest of a registry that holds results of steps. */
export interface RegistryCache {
  readonly kind: 'registry';
  readonly reference: string;
}

export type CacheImport = LocalCache | RegistryCache;

export type CacheExport = ((LocalCache & { readonly owner?: FileOwner }) | RegistryCache) & {
  /** `max`: every step's result; `min`: those of the image's own steps. */
  readonly mode: 'min' | 'max';
};

export interface BuildRequest {
  readonly context: BuildContext;
  /** Path inside the context, e.g. `Dockerfile`. */
  readonly dockerfile: string;
  /** The text of the Dockerfile where it is not a file of the context. */
  readonly dockerfileText?: string;
  /** Absolute path of a Dockerfile outside the context, on this machine. */
  readonly dockerfilePath?: string;
  /** By name, in lower case. */
  readonly namedContexts?: Readonly<Record<string, NamedContext>>;
  /** Name or number of the stage to build; the last one when absent. */
  readonly target?: string;
  /** Null: the value is not given, the Dockerfile's default holds. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly noCache: boolean;
  /** The history is written as by dockerd's classic builder, not as by BuildKit. */
  readonly isClassic?: boolean;
  /** Stages, by name or number, whose steps are all done anew. */
  readonly noCacheStages?: readonly string[];
  /** Ask the registry for every base, whether it is here or not. */
  readonly pull?: boolean;
  /** Instead of the builder's own: with the logins that a request brings. */
  readonly registry?: BuildRegistry;
  /** Only the image store, under `tags`, when absent. */
  readonly outputs?: readonly BuildOutput[];
  readonly cacheFrom?: readonly CacheImport[];
  readonly cacheTo?: readonly CacheExport[];
  /** Of RUN steps without `--network`: `default`, `bridge`, `none`, `host`, or the name of a network. */
  readonly networkMode?: string;
  /** `os/architecture[/variant]`; ours when absent. */
  readonly platform?: string;
  /** Attach a bill of materials to the image. */
  readonly sbom?: boolean;
  /** `name:address` each. */
  readonly extraHosts?: readonly string[];
  readonly shmSize?: number;
  /** Content of `RUN --mount=type=secret` by id. */
  readonly secrets?: Readonly<Record<string, Uint8Array>>;
  /** Sockets of SSH agents on this machine for `RUN --mount=type=ssh` and git contexts, by id. */
  readonly ssh?: Readonly<Record<string, string>>;
  /** What the Dockerfile may ask for: `security.insecure` for `RUN --security=insecure`, `network.host` for `RUN --network=host`. */
  readonly entitlements?: readonly string[];
  readonly signal?: AbortSignal;
  onProgress(event: BuildEvent): void;
  /** Seconds since 1970: every time in the image is at most this, so that equal inputs give an equal digest. */
  readonly sourceDateEpoch?: number;
  /** RUN steps that may run at once; twice the processors, at least 4, when absent. */
  readonly concurrency?: number;
}

/** What happens in a build; `step` counts from 1 over the instructions that are needed, as `Step 2/7` of Docker. */
export type BuildEvent =
  | {
      readonly kind: 'step-started';
      readonly step: number;
      readonly total: number;
      /** The instruction as it is in the Dockerfile, on one line. */
      readonly text: string;
      /** Name or number of the stage. */
      readonly stage: string;
      /** Line in the Dockerfile, from 1. */
      readonly line: number;
    }
  | {
      readonly kind: 'output';
      readonly step: number;
      readonly stream: 'stdout' | 'stderr';
      readonly data: Buffer;
    }
  | {
      readonly kind: 'step-done';
      readonly step: number;
      /** Nothing was executed: the result was there. */
      readonly cached: boolean;
      readonly durationMs: number;
      /** First 12 digits of what names the result: of the layer, else of the step's key. */
      readonly shortId: string;
    }
  | { readonly kind: 'warning'; readonly code: string; readonly message: string; readonly line: number }
  /** Work beside the steps: pulling a base, fetching a context, writing an output. */
  | { readonly kind: 'status'; readonly what: string; readonly line: string }
  | { readonly kind: 'built'; readonly imageId: Digest; readonly tags: readonly string[] };

/** One line of `docker system df -v`, "Build cache usage". */
export interface CacheRecord {
  readonly key: string;
  readonly description: string;
  readonly diffId: Digest | undefined;
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly usageCount: number;
  /** `regular`: what a step gave; `exec.cachemount`: the files of a cache mount; `source.http`: what ADD fetched. */
  readonly type: 'regular' | 'exec.cachemount' | 'source.http';
  /** A build uses it at the moment. */
  readonly isInUse: boolean;
}

export interface BuildResult {
  /** Digest of the image's configuration. */
  readonly imageId: Digest;
  /** Undefined where no output is the image store. */
  readonly image: ImageRecord | undefined;
  readonly tags: readonly string[];
}

export interface PruneCacheOptions {
  /** Only records that were not used since. */
  readonly unusedSince?: Date;
  /** Also records whose layer an image has. */
  readonly all?: boolean;
}

export interface Builder {
  /**
   * Builds and tags an image. A failed or cancelled build leaves nothing mounted and nothing half made.
   * @throws UserError `dockerfile-invalid`, `dockerfile-unsupported`, `build-step-failed`, `copy-source-missing`,
   *   `build-cancelled` and others, with `file:line:column` where they have one
   */
  build(request: BuildRequest): Promise<BuildResult>;
  /** Reads and plans the Dockerfile, and tells its warnings; no step is done (`--check`). */
  check(request: BuildRequest): Promise<void>;
  cacheUsage(): Promise<readonly CacheRecord[]>;
  /** Forgets cache records; the layers that no image uses are freed by the image store's own pruning. */
  pruneCache(options: PruneCacheOptions): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }>;
}
