import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorAt } from '../dockerfile/source.ts';
import type { MountSpec } from '../../runtime/index.ts';
import type { PlannedMount, RunAction } from '../plan/plan.ts';
import { bindMount } from './bind-mount.ts';
import { openCache } from './cache-folders.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';
import { forwardAgent } from './ssh-agent.ts';

/** The mounts of a RUN step while it runs. */
export interface RunMounts extends AsyncDisposable {
  readonly specs: readonly MountSpec[];
  /** Secrets that are wanted as variables, and the socket of the SSH agent. */
  readonly env: readonly string[];
}

export async function openRunMounts(performance: Performance, action: RunAction): Promise<RunMounts> {
  const { session } = performance;
  await using opening = new AsyncDisposableStack();
  const specs = new Map<PlannedMount, MountSpec>();
  const env: string[] = [];
  // Two steps that want the same two caches for themselves would wait for each other in another order.
  for (const mount of action.mounts.toSorted(byCacheId)) {
    const spec = await open(mount);
    if (spec !== undefined) specs.set(mount, spec);
  }
  const script = action.script === undefined ? [] : [await scriptMount(session, action.script)];
  const opened = opening.move();
  return {
    specs: [...action.mounts.flatMap((mount) => specs.get(mount) ?? []), ...script],
    env,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };

  async function open(mount: PlannedMount): Promise<MountSpec | undefined> {
    switch (mount.type) {
      case 'bind':
        return bindMount(performance, mount, opening);
      case 'cache': {
        const cache = await openCache(performance, mount);
        opening.use(cache);
        return { type: 'bind', source: cache.path, target: mount.target, readOnly: mount.readOnly };
      }
      case 'tmpfs':
        return {
          type: 'tmpfs',
          target: mount.target,
          ...(mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }),
        };
      case 'secret':
        return openSecret(mount);
      case 'ssh':
        return openAgent(mount);
    }
  }

  async function openSecret(mount: Extract<PlannedMount, { type: 'secret' }>): Promise<MountSpec | undefined> {
    const content = session.request.secrets?.[mount.id];
    if (content === undefined) {
      if (mount.required) throw secretMissing(performance, mount.id);
      return undefined;
    }
    if (mount.env !== undefined) env.push(`${mount.env}=${Buffer.from(content).toString('utf8')}`);
    if (mount.target === '') return undefined;
    const source = join(await session.temporaryDirectory(), 'secret');
    await writeFile(source, content, { mode: 0o400 });
    await chmod(source, mount.mode);
    await chown(source, mount.uid, mount.gid);
    return { type: 'bind', source, target: mount.target, readOnly: true };
  }

  async function openAgent(mount: Extract<PlannedMount, { type: 'ssh' }>): Promise<MountSpec | undefined> {
    const agent = session.request.ssh?.[mount.id];
    if (agent === undefined) {
      if (mount.required) throw agentMissing(performance, mount.id);
      return undefined;
    }
    const forwarded = opening.use(await forwardAgent(session, { agent, ...mount }));
    if (mount.isDefault) env.push(`SSH_AUTH_SOCK=${mount.target}`);
    return { type: 'bind', source: forwarded.path, target: mount.target, readOnly: true };
  }
}

function byCacheId(a: PlannedMount, b: PlannedMount): number {
  const [one, two] = [a, b].map((mount) => (mount.type === 'cache' ? mount.id : ''));
  return one! < two! ? -1 : one! > two! ? 1 : 0;
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

function agentMissing({ session, step }: Performance, id: string): Error {
  return errorAt(session.plan.source, step.position, {
    code: 'ssh-missing',
    message: `no SSH agent "${id}" was given`,
    fix: `Start ssh-agent, add the key, and pass it to the build: --ssh ${id}.`,
  });
}
