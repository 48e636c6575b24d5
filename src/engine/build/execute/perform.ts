import { unreachable, UserError } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { errorAt } from '../dockerfile/source.ts';
import { makeDirectories } from '../files/copy.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import type { WorkdirAction } from '../plan/plan.ts';
import type { CachedResult } from './cache.ts';
import { performCopy } from './copy-step.ts';
import { resolveOwner } from './owner.ts';
import type { Aftermath, Performance } from './performance.ts';
import { performRun } from './run-step.ts';
import type { Session } from './session.ts';

/** Does a step over a fresh upper folder and seals what it wrote. */
export async function performStep(performance: Performance): Promise<CachedResult> {
  const { session, state } = performance;
  const { images } = session.workshop.options;
  session.signal.throwIfAborted();
  const upper = await images.newUpper();
  let isTaken = false;
  try {
    const after = await inRoot();
    await after?.(upper.directory);
    const createdAt = session.now();
    if (await images.isEmpty(upper)) return { diffId: undefined, createdAt };
    await limitTimes(session, upper.directory);
    const layer = await images.seal(upper);
    isTaken = true;
    return { diffId: layer.diffId, createdAt };
  } finally {
    if (!isTaken) await images.discard(upper);
  }

  async function inRoot(): Promise<Aftermath | undefined> {
    await using root = await session.workshop.mounts.root(
      state.layers.map(({ directory }) => directory),
      upper,
    );
    return await act(performance, root.path);
  }
}

async function act(performance: Performance, root: string): Promise<Aftermath | undefined> {
  const { step, session } = performance;
  const { action } = step;
  switch (action.kind) {
    case 'run':
      return performRun(performance, action, root);
    case 'copy':
      await located(performance, () => performCopy(performance, action, root));
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
  await makeDirectories(await resolveInRoot(root, action.path), { root, ownership, now });
}

/** Says where in the Dockerfile something failed that knows only files. */
async function located<T>({ session, step }: Performance, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) || error.details['line'] !== undefined) throw error;
    const { code, kind, message, fix } = error;
    throw errorAt(session.plan.source, step.position, { code, kind, message, fix, cause: error });
  }
}

/** SOURCE_DATE_EPOCH: nothing is newer. */
async function limitTimes(session: Session, directory: string): Promise<void> {
  const epoch = session.request.sourceDateEpoch;
  if (epoch === undefined) return;
  const touch = ['touch', '--no-dereference', `--date=@${epoch}`, '{}', '+'];
  await runOrThrow(['find', directory, '-newermt', `@${epoch}`, '-exec', ...touch]);
}
