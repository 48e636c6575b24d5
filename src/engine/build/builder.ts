import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { platformOfNode } from '../../lib/oci/index.ts';
import type { ImageRecord } from '../image/index.ts';
import { parseDockerfile } from './dockerfile/parse.ts';
import { createStepCache, migrateBuild } from './execute/cache.ts';
import { openContext } from './execute/context.ts';
import { registerImage } from './execute/finish.ts';
import { createMounts, prepareMounts } from './execute/mounts.ts';
import { createNetwork, createTemporaryFolders, type Session, type Workshop } from './execute/session.ts';
import { runStage } from './execute/stage.ts';
import type { StageResult } from './execute/stage-result.ts';
import type { Builder, BuilderOptions, BuildRequest, PruneCacheOptions } from './face.ts';
import { createFileDigests } from './files/digests.ts';
import { createSemaphore } from './files/limit.ts';
import type { PlanInput } from './plan/plan.ts';
import { isOurs, planBuild } from './plan/plan-build.ts';
import { platformText } from './plan/variables.ts';

const DEFAULT_CONCURRENCY = 2;

/** Opens the build room over `<directory>/build`; what a killed build left is cleaned before the first build. */
export function createBuilder(options: BuilderOptions): Builder {
  const directory = join(options.directory, 'build');
  migrateBuild(options.database);
  const cache = createStepCache(options.database);
  const workshop: Workshop = {
    options,
    cache,
    digests: createFileDigests(options.database),
    mounts: createMounts(join(directory, 'mounts')),
    directory,
    running: new Map(),
    locks: new Map(),
  };
  options.images.retainLayers((diffId) => cache.needs(diffId));
  const ready = prepare(directory);
  ready.catch((error: unknown) => options.log.error({ error: messageOf(error) }, 'leftovers of builds remain'));
  return {
    async build(request) {
      await ready;
      return await build(workshop, request);
    },
    cacheUsage: () => cache.list(),
    pruneCache: (prune) => pruneCache(workshop, prune),
  };
}

async function prepare(directory: string): Promise<void> {
  await prepareMounts(join(directory, 'mounts'));
  await rm(join(directory, 'temporary'), { recursive: true, force: true });
}

async function build(workshop: Workshop, request: BuildRequest): Promise<ImageRecord> {
  const failure = new AbortController();
  const signal = request.signal === undefined ? failure.signal : AbortSignal.any([request.signal, failure.signal]);
  await using temporary = createTemporaryFolders(join(workshop.directory, 'temporary'));
  await using network = createNetwork(workshop, request);
  try {
    const context = await openContext(request, { temporaryDirectory: () => temporary.make(), signal });
    const platform = platformOfNode(process.arch);
    const plan = planBuild(parseDockerfile(context.dockerfileText, request.dockerfile), planInputOf(workshop, request));
    for (const warning of plan.warnings) request.onProgress({ kind: 'warning', ...warning });
    const session: Session = {
      workshop,
      request,
      plan,
      context: context.root,
      isContextLasting: context.isLasting,
      signal,
      semaphore: createSemaphore(request.concurrency ?? DEFAULT_CONCURRENCY),
      network: () => network.get(),
      temporaryDirectory: () => temporary.make(),
      now: () => (request.sourceDateEpoch === undefined ? new Date() : new Date(request.sourceDateEpoch * 1_000)),
    };
    const result = await runStages(session, failure);
    network[Symbol.asyncDispose]().catch(() => {}); // meanwhile; awaited as `network` goes
    const image = await registerImage(session, result, platform);
    request.onProgress({ kind: 'built', imageId: image.id, tags: request.tags });
    return image;
  } catch (error) {
    throw request.signal?.aborted === true ? cancelled(error) : error;
  }
}

/** All needed stages at once: each waits for what it reads. The first failure stops the others. */
async function runStages(session: Session, failure: AbortController): Promise<StageResult> {
  const results = new Map<number, Promise<StageResult>>();
  let first: unknown;
  for (const stage of session.plan.stages) {
    const result = runStage(session, stage, results);
    results.set(stage.index, result);
    result.catch((error: unknown) => {
      first ??= error;
      failure.abort(error);
    });
  }
  await Promise.allSettled(results.values());
  if (first !== undefined) throw first;
  const target = await results.get(session.plan.target);
  if (target === undefined) throw new Error('the target stage was not planned');
  return target;
}

function planInputOf({ options }: Workshop, request: BuildRequest): PlanInput {
  const platform = platformOfNode(process.arch);
  const wanted = request.platform ?? '';
  if (wanted !== '' && !isOurs(wanted, platformText(platform))) {
    throw new UserError({
      code: 'platform-unsupported',
      kind: 'unsupported',
      message: `building for ${wanted} on ${platformText(platform)} is not supported yet`,
      fix: 'Build on a machine of that kind.',
    });
  }
  const { networkMode } = request;
  if (networkMode?.startsWith('container:') === true) {
    throw new UserError({
      code: 'build-network-unsupported',
      kind: 'unsupported',
      message: `building in the network of a container (${networkMode}) is not supported yet`,
      fix: 'Name a network instead.',
    });
  }
  return {
    target: request.target,
    buildArgs: request.buildArgs,
    labels: request.labels,
    platform,
    networkMode: networkMode === 'none' || networkMode === 'host' ? networkMode : 'default',
    findImage(name) {
      const image = options.images.find(name);
      return image === undefined ? undefined : { id: image.id, config: image.config };
    },
  };
}

function cancelled(cause: unknown): UserError {
  return new UserError({
    code: 'build-cancelled',
    kind: 'cancelled',
    message: 'the build was cancelled',
    fix: 'Start it again: finished steps are cached.',
    cause,
  });
}

/** Forgets results, and deletes the layers that then nobody needs. */
async function pruneCache(
  { cache, options }: Workshop,
  { all, unusedSince }: PruneCacheOptions,
): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }> {
  const used = new Set(options.images.list().flatMap(({ config }) => config.rootfs.diff_ids));
  const doomed = cache
    .list()
    .filter(({ diffId }) => all === true || diffId === undefined || !used.has(diffId))
    .filter(({ lastUsedAt }) => unusedSince === undefined || lastUsedAt.getTime() < unusedSince.getTime())
    .map(({ key }) => key);
  cache.remove(doomed);
  return { removed: doomed, freedBytes: await options.images.collectLayers() };
}
