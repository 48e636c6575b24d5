import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../lib/id.ts';
import type { Digest } from '../../../lib/oci/index.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { StepNetwork } from '../../runtime/index.ts';
import type { BuilderOptions, BuildRegistry, BuildRequest } from '../face.ts';
import type { Copies } from '../files/copies.ts';
import type { FileDigests } from '../files/digests.ts';
import type { SourceRoot } from '../files/select.ts';
import type { Semaphore } from '../files/limit.ts';
import type { WalkDigests } from '../files/walks.ts';
import type { BuildPlan } from '../plan/plan.ts';
import type { ImportedResults } from '../output/import-cache.ts';
import type { Unfinished } from '../output/unfinished.ts';
import type { Downloads } from '../sources/downloads.ts';
import type { CachedResult, StepCache } from './cache.ts';
import type { CacheMounts } from './cache-mounts.ts';
import type { Mounts } from './mounts.ts';

/** What all builds of a builder share. */
export interface Workshop {
  readonly options: BuilderOptions;
  readonly cache: StepCache;
  readonly digests: FileDigests;
  readonly walks: WalkDigests;
  readonly copies: Copies;
  readonly mounts: Mounts;
  readonly downloads: Downloads;
  readonly directory: string;
  /** Steps that run at the moment, by key: a second build waits for the first one's. */
  readonly running: Map<string, Promise<CachedResult>>;
  /** Cache mounts with `sharing=locked`, by id. */
  readonly locks: Map<string, Semaphore>;
  readonly unfinished: Unfinished;
  readonly cacheMounts: CacheMounts;
  /** Builds that run: what they use is not pruned. */
  readonly sessions: Set<Pick<Session, 'used' | 'held'>>;
}

/** A result as `--cache-to` writes it. */
export interface UsedResult extends CachedResult {
  readonly description: string;
  /** Index of the stage. */
  readonly stage: number;
  /** Keys over references that led to it. */
  readonly aliases: readonly string[];
}

/** Files that a build was given under a name. */
export interface NamedFiles {
  readonly root: SourceRoot;
  /** Whether they will be there for the next build under the same paths. */
  readonly isLasting: boolean;
}

/** One build. */
export interface Session {
  readonly workshop: Workshop;
  readonly request: BuildRequest;
  readonly plan: BuildPlan;
  readonly context: SourceRoot;
  /** What the Dockerfile names, by name. */
  readonly images: ReadonlyMap<string, ImageRecord>;
  /** Whether the context's files will be there for the next build under the same names. */
  readonly isContextLasting: boolean;
  /** The files of `--build-context NAME=…`; fetched when the first step asks. */
  namedContext(name: string): Promise<NamedFiles>;
  readonly signal: AbortSignal;
  readonly semaphore: Semaphore;
  /** Results that this build made or found, by content key. */
  readonly used: Map<string, UsedResult>;
  /** Layers that it stands on. */
  readonly held: Set<Digest>;
  readonly registry: BuildRegistry | undefined;
  /** Results of `--cache-from`. */
  readonly imported: ImportedResults;
  /** One network for all RUN steps, made when the first one asks. */
  network(): Promise<StepNetwork>;
  temporaryDirectory(): Promise<string>;
  now(): Date;
}

/** Disposing closes it; who does it again waits for the same end. */
export interface Network extends AsyncDisposable {
  get(): Promise<StepNetwork>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The network of a build's RUN steps: nothing happens before it is asked for. */
export function createNetwork({ options }: Workshop, request: BuildRequest): Network {
  const sandboxId = newId();
  let opened: Promise<StepNetwork> | undefined;
  const open = async (): Promise<StepNetwork> => {
    const mode = request.networkMode ?? 'default';
    const sandbox = await options.networks.openSandbox({
      sandboxId,
      hostname: 'buildkitsandbox',
      endpoints: [{ network: mode === 'default' || mode === '' ? 'bridge' : mode }],
      ports: [],
      extraHosts: request.extraHosts ?? [],
    });
    return { namespacePath: sandbox.namespacePath, resolvConf: sandbox.resolvConf, hosts: sandbox.hosts };
  };
  const close = async (): Promise<void> => {
    if (opened === undefined) return;
    await opened.catch(() => {});
    await options.networks.closeSandbox(sandboxId);
  };
  let closed: Promise<void> | undefined;
  return { get: () => (opened ??= open()), [Symbol.asyncDispose]: () => (closed ??= close()) };
}

export interface TemporaryFolders extends AsyncDisposable {
  make(): Promise<string>;
}

/** Folders that go when the build ends. */
export function createTemporaryFolders(directory: string): TemporaryFolders {
  const made: string[] = [];
  return {
    async make() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const path = await mkdtemp(join(directory, 't-'));
      made.push(path);
      return path;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}
