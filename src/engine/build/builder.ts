import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { platformOfNode } from '../../lib/oci/index.ts';
import { parseDockerfile } from './dockerfile/parse.ts';
import { createStepCache, migrateBuild } from './execute/cache.ts';
import { createCacheMounts, prepareCacheMounts } from './execute/cache-mounts.ts';
import { cacheUsage, pruneCache } from './execute/cache-usage.ts';
import { openContext } from './execute/context.ts';
import type { Fetching } from './execute/fetching.ts';
import { imageOfContext } from './execute/image-context.ts';
import { refuseUnallowed } from './execute/entitlements.ts';
import { createMounts, prepareMounts } from './execute/mounts.ts';
import { openNamedContexts } from './execute/named-contexts.ts';
import { type ImageSource, planWithImages } from './execute/plan-with-images.ts';
import {
  createNetwork,
  createTemporaryFolders,
  type Session,
  type TemporaryFolders,
  type Workshop,
} from './execute/session.ts';
import { runStage } from './execute/stage.ts';
import type { StageResult } from './execute/stage-result.ts';
import type { Builder, BuilderOptions, BuildRegistry, BuildRequest, BuildResult } from './face.ts';
import { createCopies, prepareCopies } from './files/copies.ts';
import { createFileDigests } from './files/digests.ts';
import { createWalkDigests } from './files/walks.ts';
import { createDownloads, prepareDownloads } from './sources/downloads.ts';
import { createSemaphore } from './files/limit.ts';
import { exportCaches } from './output/export-cache.ts';
import { openImports } from './output/import-cache.ts';
import { createUnfinished, removeUnfinished } from './output/unfinished.ts';
import { writeOutputs } from './output/write-outputs.ts';
import type { ImageRecord } from '../image/index.ts';
import type { PlanInput } from './plan/plan.ts';
import { isOurs } from './plan/base.ts';
import { platformText } from './plan/variables.ts';

/** RUN steps wait for networks and disks, too: more of them than processors. */
const DEFAULT_CONCURRENCY = Math.max(4, 2 * availableParallelism());

/** Opens the build room over `<directory>/build`; what a killed build left is cleaned before the first build. */
export function createBuilder(options: BuilderOptions): Builder {
  const directory = join(options.directory, 'build');
  migrateBuild(options.database);
  const cache = createStepCache(options.database);
  const sessions: Workshop['sessions'] = new Set();
  const workshop: Workshop = {
    options,
    cache,
    digests: createFileDigests(options.database),
    walks: createWalkDigests(options.database),
    copies: createCopies(join(directory, 'copies')),
    mounts: createMounts(join(directory, 'mounts')),
    downloads: createDownloads(join(directory, 'downloads'), options.database, options.proxyEnvironment ?? {}),
    directory,
    running: new Map(),
    locks: new Map(),
    unfinished: createUnfinished(join(directory, 'unfinished')),
    cacheMounts: createCacheMounts(join(directory, 'caches'), options.database),
    sessions,
  };
  options.images.retainLayers((diffId) => cache.needs(diffId) || [...sessions].some(({ held }) => held.has(diffId)));
  const ready = prepare(directory);
  ready.catch((error: unknown) => options.log.error({ error: messageOf(error) }, 'leftovers of builds remain'));
  return {
    async build(request) {
      await ready;
      return await build(workshop, withEpoch(request));
    },
    async check(request) {
      await ready;
      await check(workshop, request);
    },
    cacheUsage: () => cacheUsage(workshop),
    pruneCache: (prune) => pruneCache(workshop, prune),
  };
}

/** SOURCE_DATE_EPOCH comes as a build argument, too, as BuildKit's clients send it. */
function withEpoch(request: BuildRequest): BuildRequest {
  const given = request.buildArgs['SOURCE_DATE_EPOCH'];
  if (request.sourceDateEpoch !== undefined || typeof given !== 'string' || !/^\d{1,11}$/.test(given)) return request;
  return { ...request, sourceDateEpoch: Number(given) };
}

async function prepare(directory: string): Promise<void> {
  await prepareMounts(join(directory, 'mounts'));
  await rm(join(directory, 'temporary'), { recursive: true, force: true });
  await prepareCacheMounts(join(directory, 'caches'));
  await prepareDownloads(join(directory, 'downloads'));
  await prepareCopies(join(directory, 'copies'));
  await removeUnfinished(join(directory, 'unfinished'));
}

async function build(workshop: Workshop, request: BuildRequest): Promise<BuildResult> {
  const failure = new AbortController();
  const signal = request.signal === undefined ? failure.signal : AbortSignal.any([request.signal, failure.signal]);
  await using temporary = createTemporaryFolders(join(workshop.directory, 'temporary'));
  await using network = createNetwork(workshop, request);
  using closing = new DisposableStack();
  try {
    const prepared = await prepareBuild({ workshop, request, signal, temporary });
    refuseUnallowed(prepared.plan, request);
    const registry = registryOf(workshop.options, request);
    const session: Session = {
      workshop,
      request,
      ...prepared,
      signal,
      semaphore: createSemaphore(request.concurrency ?? DEFAULT_CONCURRENCY),
      used: new Map(),
      held: new Set(),
      registry,
      imported: await openImports(request, { images: workshop.options.images, registry, signal }),
      network: () => network.get(),
      temporaryDirectory: () => temporary.make(),
      now: () => (request.sourceDateEpoch === undefined ? new Date() : new Date(request.sourceDateEpoch * 1_000)),
    };
    workshop.sessions.add(session);
    closing.defer(() => void workshop.sessions.delete(session));
    const result = await runStages(session, failure);
    network[Symbol.asyncDispose]().catch(() => {}); // meanwhile; awaited as `network` goes
    const built = await writeOutputs(session, result);
    await exportCaches(session);
    request.onProgress({ kind: 'built', imageId: built.imageId, tags: built.tags });
    return built;
  } catch (error) {
    throw request.signal?.aborted === true ? cancelled(error) : error;
  }
}

async function check(workshop: Workshop, request: BuildRequest): Promise<void> {
  const signal = request.signal ?? new AbortController().signal;
  await using temporary = createTemporaryFolders(join(workshop.directory, 'temporary'));
  await prepareBuild({ workshop, request, signal, temporary, allStages: (request.target ?? '') === '' });
}

interface Preparing {
  readonly workshop: Workshop;
  readonly request: BuildRequest;
  readonly signal: AbortSignal;
  readonly temporary: TemporaryFolders;
  /** Also stages that the target does not need. */
  readonly allStages?: boolean;
}

/** Fetches contexts and bases, and plans; tells the plan's warnings. */
async function prepareBuild({
  workshop,
  request,
  signal,
  temporary,
  allStages = false,
}: Preparing): Promise<Pick<Session, 'plan' | 'context' | 'images' | 'isContextLasting' | 'namedContext'>> {
  const fetching: Fetching = {
    signal,
    ssh: request.ssh ?? {},
    proxies: workshop.options.proxyEnvironment ?? {},
    temporaryDirectory: () => temporary.make(),
    onLine: (line) => request.onProgress({ kind: 'status', what: 'context', line }),
  };
  const images = new Map<string, ImageRecord>();
  const source = noting(images, imageSourceOf(workshop, request, signal));
  const context = await openContext(request, fetching);
  const named = await openNamedContexts(request.namedContexts ?? {}, {
    ...fetching,
    imageOf: (wanted) => imageOfContext(wanted, { ...fetching, source, images: workshop.options.images }),
  });
  const plan = await planWithImages(
    parseDockerfile(context.dockerfileText, request.dockerfilePath ?? request.dockerfile),
    { ...planInputOf(request), namedContexts: named.planned, allStages, ignore: context.root.ignore },
    source,
  );
  for (const warning of plan.warnings) request.onProgress({ kind: 'warning', ...warning });
  return {
    plan,
    context: context.root,
    images,
    isContextLasting: context.isLasting,
    namedContext: (name) => named.files(name),
  };
}

function registryOf(options: BuilderOptions, request: BuildRequest): BuildRegistry | undefined {
  return request.registry ?? options.registry;
}

function imageSourceOf({ options }: Workshop, request: BuildRequest, signal: AbortSignal): ImageSource {
  const pull = registryOf(options, request)?.pull;
  return {
    find: (name) => options.images.find(name),
    isAlwaysPulled: request.pull === true,
    pull:
      pull === undefined
        ? undefined
        : (name) =>
            pull(name, {
              signal,
              ...(request.platform === undefined || request.platform === '' ? {} : { platform: request.platform }),
              onOutput: (line) => request.onProgress({ kind: 'status', what: name, line }),
            }),
  };
}

/** Remembers what the plan was made with. */
function noting(images: Map<string, ImageRecord>, source: ImageSource): ImageSource {
  const { pull } = source;
  const note = <T extends ImageRecord | undefined>(name: string, image: T): T => {
    if (image !== undefined) images.set(name, image);
    return image;
  };
  return {
    ...source,
    find: (name) => note(name, source.find(name)),
    pull: pull === undefined ? undefined : async (name) => note(name, await pull(name)),
  };
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

function planInputOf(request: BuildRequest): Omit<PlanInput, 'findImage' | 'namedContexts'> {
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
