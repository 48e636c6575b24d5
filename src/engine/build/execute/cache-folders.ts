import { chmod, chown, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../lib/id.ts';
import { systemCodeOf } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { createSemaphore } from '../files/limit.ts';
import { keyOf } from '../plan/key.ts';
import type { PlannedMount } from '../plan/plan.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';

type CacheMount = Extract<PlannedMount, { type: 'cache' }>;

/** The folder of a cache while a step has it. */
export interface OpenCache extends AsyncDisposable {
  readonly path: string;
}

/**
 * The folder of a cache (Dockerfile reference: RUN --mount=type=cache): `shared` for all at once, `locked` for one step
 * after the other, `private` one for each of the steps that run at once.
 */
export async function openCache(performance: Performance, mount: CacheMount): Promise<OpenCache> {
  const { session } = performance;
  const seed = await seedName(performance, mount);
  const name = keyOf(mount.id).slice(0, 32) + seed;
  const { folder, release } = await take(session, mount.sharing, name);
  try {
    const path = join(session.workshop.directory, 'caches', folder);
    if ((await stat(path).catch(() => undefined)) === undefined) await make(performance, mount, path);
    return { path, [Symbol.asyncDispose]: () => Promise.resolve(release()) };
  } catch (error) {
    release();
    throw error;
  }
}

/** Caches that begin with other files are other caches. */
async function seedName({ inputs }: Performance, { seed }: CacheMount): Promise<string> {
  if (seed === undefined) return '';
  const reference = (await inputs.reference(seed.origin)) ?? seed.origin.kind;
  return `-${keyOf(reference, seed.source).slice(0, 8)}`;
}

interface Taken {
  readonly folder: string;
  release(): void;
}

async function take(session: Session, sharing: CacheMount['sharing'], name: string): Promise<Taken> {
  switch (sharing) {
    case 'shared':
      return { folder: name, release() {} };
    case 'locked':
      return { folder: name, release: await lock(session, name) };
    case 'private': {
      const { locks } = session.workshop;
      let folder = name;
      for (let number = 1; locks.get(folder)?.isFree === false; number++) folder = `${name}-${number}`;
      return { folder, release: await lock(session, folder) };
    }
  }
}

/** Waits until no other step has the cache, and gives what lets go of it. */
async function lock({ workshop: { locks }, signal }: Session, folder: string): Promise<() => void> {
  const semaphore = locks.get(folder) ?? createSemaphore(1);
  locks.set(folder, semaphore);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: taken, resolve: taking } = Promise.withResolvers<void>();
  const { promise: aborted, reject: abort } = Promise.withResolvers<never>();
  void semaphore.run(() => {
    taking();
    return released;
  });
  const onAbort = (): void => abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    signal.throwIfAborted();
    await Promise.race([taken, aborted]);
    return release;
  } catch (error) {
    release(); // its turn may still come, and passes at once
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Under another name first: who finds a cache finds it whole. */
async function make({ session, inputs }: Performance, mount: CacheMount, path: string): Promise<void> {
  const caches = join(session.workshop.directory, 'caches');
  const unfinished = join(caches, `removed-${newId().slice(0, 12)}`);
  await mkdir(unfinished, { recursive: true });
  try {
    if (mount.seed === undefined) {
      await chown(unfinished, mount.uid, mount.gid);
      await chmod(unfinished, mount.mode);
    } else {
      const { directory } = await inputs.root(mount.seed.origin);
      const source = await resolveInRoot(directory, mount.seed.source);
      const argv = ['cp', '--archive', '--no-target-directory', '--', source, unfinished] as const;
      await runOrThrow([...argv], { signal: session.signal });
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (systemCodeOf(error) !== 'ENOTEMPTY' && systemCodeOf(error) !== 'EEXIST') throw error; // another step was quicker
  }
}
