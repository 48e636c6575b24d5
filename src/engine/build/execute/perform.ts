import { unreachable } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { makeDirectories } from '../files/make-directories.ts';
import { nameOf } from '../files/names.ts';
import type { Digest } from '../../../lib/oci/index.ts';
import { resolveNameInRoot } from '../../../lib/root-path.ts';
import type { Upper } from '../../image/index.ts';
import type { WorkdirAction } from '../plan/plan.ts';
import type { CachedResult } from './cache.ts';
import { performCopy } from './copy-step.ts';
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
  const after = await act(performance, root.path);
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
  await located(performance, async () => {
    if (action.chown === undefined || !namesOwner(action.chown))
      return performCopy(performance, action, { root: upper.directory });
    await using base = await session.workshop.mounts.root(lower);
    await performCopy(performance, action, { root: upper.directory, base: base.path });
  });
  if (await images.isEmpty(upper)) return undefined;
  await limitTimes(session, upper.directory);
  return (await images.seal(upper)).diffId;
}

async function act(performance: Performance, root: string): Promise<Aftermath | undefined> {
  const { step, session } = performance;
  const { action } = step;
  switch (action.kind) {
    case 'run': {
      using _caches = session.workshop.cacheMounts.use(action.mounts);
      return await performRun(performance, action, root);
    }
    case 'copy':
      await located(performance, () => performCopy(performance, action, { root }));
      return undefined;
    case 'workdir':
      await located(performance, () => makeWorkdir(action, root, session.now()));
      return undefined;
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
