import type { BuildOutput, CacheExport, CacheImport, FileOwner, NamedContext } from '../../engine/docker-api/index.ts';
import type { RegistryLogin } from '../../lib/docker-config/index.ts';

/** The request of `POST /v1/images/build`. Paths are absolute, on the machine that both run on. */
export interface ImageBuildSpec {
  readonly context:
    | { readonly kind: 'directory'; readonly path: string }
    | { readonly kind: 'stream' }
    | { readonly kind: 'remote'; readonly url: string };
  readonly dockerfile?: string;
  readonly dockerfileText?: string;
  readonly dockerfilePath?: string;
  readonly namedContexts: Readonly<Record<string, NamedContext>>;
  readonly target?: string;
  /** Null: not given, the Dockerfile's default holds. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly noCache: boolean;
  readonly noCacheStages: readonly string[];
  readonly pull: boolean;
  /** Attach a bill of materials. */
  readonly sbom: boolean;
  readonly platform?: string;
  readonly networkMode?: string;
  readonly extraHosts: readonly string[];
  /** Bytes. */
  readonly shmSize?: number;
  /** Base64 by id. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Sockets of agents by id. */
  readonly ssh: Readonly<Record<string, string>>;
  readonly entitlements: readonly string[];
  /** Absent: the image store. */
  readonly outputs?: readonly BuildOutput[];
  readonly cacheFrom: readonly CacheImport[];
  readonly cacheTo: readonly CacheExport[];
  /** Of the user, by registry. */
  readonly logins: Readonly<Record<string, RegistryLogin>>;
  readonly checkOnly: boolean;
}

export type { BuildOutput as OutputSpec, FileOwner as OwnerSpec, NamedContext as NamedContextSpec };

export type ImageBuildEvent =
  | {
      readonly kind: 'step-started';
      /** From 1, over the instructions that are needed. */
      readonly step: number;
      readonly total: number;
      readonly text: string;
      readonly stage: string;
      readonly line: number;
    }
  | {
      readonly kind: 'output';
      readonly step: number;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
    }
  | {
      readonly kind: 'step-done';
      readonly step: number;
      readonly cached: boolean;
      readonly durationMs: number;
      readonly shortId: string;
    }
  | { readonly kind: 'warning'; readonly code: string; readonly message: string; readonly line: number }
  | { readonly kind: 'status'; readonly what: string; readonly line: string }
  | { readonly kind: 'built'; readonly imageId: string; readonly tags: readonly string[] };

/** Empty for a check. */
export interface ImageBuildResult {
  /** Digest of the image's configuration. */
  readonly imageId?: string;
  readonly isStored?: boolean;
  readonly tags?: readonly string[];
}
