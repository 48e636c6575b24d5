import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../lib/id.ts';
import type { StepNetwork } from '../../runtime/index.ts';
import type { BuilderOptions, BuildRequest } from '../face.ts';
import type { FileDigests } from '../files/digests.ts';
import type { SourceRoot } from '../files/select.ts';
import type { Semaphore } from '../files/limit.ts';
import type { BuildPlan } from '../plan/plan.ts';
import type { CachedResult, StepCache } from './cache.ts';
import type { Mounts } from './mounts.ts';

/** What all builds of a builder share. */
export interface Workshop {
  readonly options: BuilderOptions;
  readonly cache: StepCache;
  readonly digests: FileDigests;
  readonly mounts: Mounts;
  readonly directory: string;
  /** Steps that run at the moment, by key: a second build waits for the first one's. */
  readonly running: Map<string, Promise<CachedResult>>;
  /** Cache mounts with `sharing=locked`, by id. */
  readonly locks: Map<string, Semaphore>;
}

/** One build. */
export interface Session {
  readonly workshop: Workshop;
  readonly request: BuildRequest;
  readonly plan: BuildPlan;
  readonly context: SourceRoot;
  /** Whether the context's files will be there for the next build under the same names. */
  readonly isContextLasting: boolean;
  readonly signal: AbortSignal;
  readonly semaphore: Semaphore;
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
