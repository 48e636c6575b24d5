import { unreachable } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { makeDirectories } from '../files/make-directories.ts';
import { openFileCalls } from '../files/native.ts';
import { nameOf } from '../files/names.ts';
import type { Digest } from '../../../lib/oci/index.ts';
import { resolveNameInRoot } from '../../../lib/root-path.ts';
import type { Upper } from '../../image/index.ts';
import type { WorkdirAction } from '../plan/plan.ts';
import type { CachedResult } from './cache.ts';
import { type Coming, performCopy } from './copy-step.ts';
import { isLinked } from './linked.ts';
import { located } from './located.ts';
import { namesOwner, resolveOwner } from './owner.ts';
import type { Aftermath, Performance } from './performance.ts';
import { performRun } from './run-step.ts';
import type { Session } from './session.ts';

/** Does a step over a fresh upper folder and seals what it wrote. */
export async function performStep(performance: Performance): Promise<CachedResult> {
  const { session } = performance;
  const { images } = session.workshop.options;
  session.signal.throwIfAborted();
  expectNetwork(performance);
  const upper = await images.newUpper();
  let diffId: Digest | undefined;
  try {
    diffId = await fillAndSeal(performance, upper);
  } finally {
    if (diffId === undefined) await images.discard(upper);
  }
  return { diffId, createdAt: session.now() };
}

/** A RUN step will ask for the network as soon as its root is mounted. */
function expectNetwork({ session, step }: Performance): void {
  if (step.action.kind === 'run' && step.action.network === 'default') session.network().catch(() => {});
}

/** @returns the layer's diffID, or undefined where the step wrote nothing */
async function fillAndSeal(performance: Performance, upper: Upper): Promise<Digest | undefined> {
  const { session, state } = performance;
  const { images } = session.workshop.options;
  const lower = state.layers.map(({ directory }) => directory);
  if (isLinked(performance.step)) return fillLinked(performance, upper, lower);
  await using root = await session.workshop.mounts.root(lower, upper);
  const { after, coming } = await act(performance, root.path);
  if (coming !== undefined && coming.files.length > 0) {
    await root[Symbol.asyncDispose]();
    return await located(performance, () => fill(session, upper, coming));
  }
  // Nobody uses the root any more: it goes while its upper folder becomes a layer, and is awaited at the end.
  root[Symbol.asyncDispose]().catch(() => {});
  after?.(upper.directory);
  if (await images.isEmpty(upper)) return undefined;
  await limitTimes(session, upper.directory);
  return (await images.seal(upper)).diffId;
}

/** COPY --link writes a layer that has seen nothing below it: straight into its folder. */
async function fillLinked(
  performance: Performance,
  upper: Upper,
  lower: readonly string[],
): Promise<Digest | undefined> {
  const { session, step } = performance;
  const { images } = session.workshop.options;
  const { action } = step;
  if (action.kind !== 'copy') throw new Error('only a copy can be linked');
  const coming = await located(performance, async () => {
    if (action.chown === undefined || !namesOwner(action.chown))
      return performCopy(performance, action, { root: upper.directory });
    await using base = await session.workshop.mounts.root(lower);
    return await performCopy(performance, action, { root: upper.directory, base: base.path });
  });
  if (coming.files.length > 0) return await located(performance, () => fill(session, upper, coming));
  if (await images.isEmpty(upper)) return undefined;
  await limitTimes(session, upper.directory);
  return (await images.seal(upper)).diffId;
}

/** Makes the files that a copy left for now, as the layer is sealed. */
async function fill(session: Session, upper: Upper, { files, twins }: Coming): Promise<Digest> {
  const calls = openFileCalls();
  await limitTimes(session, upper.directory);
  const { diffId } = await session.workshop.options.images.fillAndSeal(upper, {
    files,
    setMetadata(path, { time, xattrs }) {
      if (xattrs !== undefined) calls?.writeXattrs(path, xattrs);
      calls?.setTime(path, time);
    },
    ...(twins && { made: twins.made, states: twins.states, noteStates: twins.noteStates }),
    signal: session.signal,
  });
  await twins?.keep(diffId).catch(() => {}); // the next one copies again
  return diffId;
}

interface Acted {
  readonly after?: Aftermath;
  /** Files of a copy that are not there yet. */
  readonly coming?: Coming;
}

async function act(performance: Performance, root: string): Promise<Acted> {
  const { step, session } = performance;
  const { action } = step;
  switch (action.kind) {
    case 'run': {
      using _caches = session.workshop.cacheMounts.use(action.mounts);
      return { after: await performRun(performance, action, root) };
    }
    case 'copy':
      return { coming: await located(performance, () => performCopy(performance, action, { root })) };
    case 'workdir':
      await located(performance, () => makeWorkdir(action, root, session.now()));
      return {};
    case 'metadata':
      throw new Error('a metadata step writes nothing');
    default:
      return unreachable(action);
  }
}

async function makeWorkdir(action: WorkdirAction, root: string, now: Date): Promise<void> {
  const ownership = await resolveOwner(root, action.user);
  await makeDirectories(await resolveNameInRoot(nameOf(root), nameOf(action.path)), { root, ownership, now });
}

/** SOURCE_DATE_EPOCH: nothing is newer. */
async function limitTimes(session: Session, directory: string): Promise<void> {
  const epoch = session.request.sourceDateEpoch;
  if (epoch === undefined) return;
  const touch = ['touch', '--no-dereference', `--date=@${epoch}`, '{}', '+'];
  await runOrThrow(['find', directory, '-newermt', `@${epoch}`, '-exec', ...touch]);
}
