import type { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import type { Log } from '../../lib/log.ts';
import type { Digest } from '../../lib/oci/index.ts';
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
}

/** Where the files that COPY and ADD read come from. */
export type BuildContext =
  | { readonly kind: 'directory'; readonly path: string }
  /** A tar, plain or compressed with gzip, bzip2, xz or zstd. */
  | { readonly kind: 'tar'; readonly stream: Readable };

export interface BuildRequest {
  readonly context: BuildContext;
  /** Path inside the context, e.g. `Dockerfile`. */
  readonly dockerfile: string;
  /** The text of the Dockerfile where it is not a file of the context. */
  readonly dockerfileText?: string;
  /** Name or number of the stage to build; the last one when absent. */
  readonly target?: string;
  /** Null: the value is not given, the Dockerfile's default holds. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly noCache: boolean;
  readonly pull?: boolean;
  /** Of RUN steps without `--network`: `default`, `bridge`, `none`, `host`, or the name of a network. */
  readonly networkMode?: string;
  /** `os/architecture[/variant]`; ours when absent. */
  readonly platform?: string;
  /** `name:address` each. */
  readonly extraHosts?: readonly string[];
  readonly shmSize?: number;
  /** Content of `RUN --mount=type=secret` by id. */
  readonly secrets?: Readonly<Record<string, Uint8Array>>;
  readonly signal?: AbortSignal;
  onProgress(event: BuildEvent): void;
  /** Seconds since 1970: every time in the image is at most this, so that equal inputs give an equal digest. */
  readonly sourceDateEpoch?: number;
  /** RUN steps that may run at once; 2 when absent. */
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
  build(request: BuildRequest): Promise<ImageRecord>;
  cacheUsage(): readonly CacheRecord[];
  /** Forgets cache records; the layers that no image uses are freed by the image store's own pruning. */
  pruneCache(options: PruneCacheOptions): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }>;
}
