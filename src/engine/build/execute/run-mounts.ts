import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorAt } from '../dockerfile/source.ts';
import { createSemaphore } from '../files/limit.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import type { MountSpec } from '../../runtime/index.ts';
import { keyOf } from '../plan/key.ts';
import type { PlannedMount, RunAction } from '../plan/plan.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';

/** The mounts of a RUN step while it runs. */
export interface RunMounts extends AsyncDisposable {
  readonly specs: readonly MountSpec[];
  /** Secrets that are wanted as variables. */
  readonly env: readonly string[];
}

export async function openRunMounts(performance: Performance, action: RunAction): Promise<RunMounts> {
  const specs: MountSpec[] = [];
  const env: string[] = [];
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const letGo of releases.splice(0)) letGo();
  };
  try {
    for (const mount of action.mounts) await add(mount);
    if (action.script !== undefined) specs.push(await scriptMount(performance.session, action.script));
  } catch (error) {
    release();
    throw error;
  }
  return { specs, env, [Symbol.asyncDispose]: () => Promise.resolve(release()) };

  async function add(mount: PlannedMount): Promise<void> {
    switch (mount.type) {
      case 'bind':
        specs.push(await bindMount(performance, mount));
        break;
      case 'cache':
        if (mount.sharing === 'locked') releases.push(await lockCache(performance.session, mount.id));
        specs.push(await cacheMount(performance.session, mount));
        break;
      case 'tmpfs':
        specs.push({
          type: 'tmpfs',
          target: mount.target,
          ...(mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }),
        });
        break;
      case 'secret':
        await addSecret(mount);
        break;
      case 'ssh':
        throw new Error('no ssh mounts yet');
    }
  }

  async function addSecret(mount: Extract<PlannedMount, { type: 'secret' }>): Promise<void> {
    const content = performance.session.request.secrets?.[mount.id];
    if (content === undefined) {
      if (mount.required) throw secretMissing(performance, mount.id);
      return;
    }
    if (mount.env !== undefined) env.push(`${mount.env}=${Buffer.from(content).toString('utf8')}`);
    if (mount.target === '') return;
    const source = join(await performance.session.temporaryDirectory(), 'secret');
    await writeFile(source, content, { mode: 0o400 });
    await chmod(source, mount.mode);
    await chown(source, mount.uid, mount.gid);
    specs.push({ type: 'bind', source, target: mount.target, readOnly: true });
  }
}

async function bindMount({ inputs }: Performance, mount: Extract<PlannedMount, { type: 'bind' }>): Promise<MountSpec> {
  const root = await inputs.root(mount.origin);
  return {
    type: 'bind',
    source: await resolveInRoot(root.directory, mount.source),
    target: mount.target,
    readOnly: true,
  };
}

async function cacheMount(session: Session, mount: Extract<PlannedMount, { type: 'cache' }>): Promise<MountSpec> {
  const source = join(session.workshop.directory, 'caches', keyOf(mount.id).slice(0, 32));
  const made = await mkdir(source, { recursive: true });
  if (made !== undefined) {
    await chown(source, mount.uid, mount.gid);
    await chmod(source, mount.mode);
  }
  return { type: 'bind', source, target: mount.target, readOnly: mount.readOnly };
}

/** Waits until no other step has the cache, and gives what lets go of it. */
async function lockCache(session: Session, id: string): Promise<() => void> {
  const { locks } = session.workshop;
  const lock = locks.get(id) ?? createSemaphore(1);
  locks.set(id, lock);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: taken, resolve: take } = Promise.withResolvers<void>();
  void lock.run(() => {
    take();
    return released;
  });
  await taken;
  return release;
}

async function scriptMount(
  session: Session,
  script: { readonly path: string; readonly content: string },
): Promise<MountSpec> {
  const source = join(await session.temporaryDirectory(), 'script');
  await writeFile(source, script.content);
  await chmod(source, 0o755);
  return { type: 'bind', source, target: script.path, readOnly: true };
}

function secretMissing({ session, step }: Performance, id: string): Error {
  return errorAt(session.plan.source, step.position, {
    code: 'secret-missing',
    message: `the secret "${id}" was not given`,
    fix: `Pass it to the build: --secret id=${id},src=FILE.`,
  });
}
