import { chmod, chown, mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runOrThrow } from '../../../lib/process.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { withoutIgnored } from '../files/ignore.ts';
import { hiddenOf, writeMask } from '../files/mask.ts';
import { nameOf } from '../files/names.ts';
import type { SourceRoot } from '../files/select.ts';
import { type TreeEntry, walkTree } from '../files/tree.ts';
import type { MountSpec } from '../../runtime/index.ts';
import type { PlannedMount } from '../plan/plan.ts';
import type { Performance } from './performance.ts';
import type { Session } from './session.ts';

type BindMount = Extract<PlannedMount, { type: 'bind' }>;

/**
 * Files of the context, a stage or an image in a RUN step (Dockerfile reference: RUN --mount=type=bind): what
 * .dockerignore excludes is not there, and what the step writes (`rw`) goes into a folder that is thrown away.
 */
export async function bindMount(
  { session, inputs }: Performance,
  mount: BindMount,
  opening: AsyncDisposableStack,
): Promise<MountSpec> {
  const root = await inputs.root(mount.origin);
  const source = await resolveInRoot(root.directory, mount.source);
  const spec = { type: 'bind', target: mount.target, readOnly: mount.readOnly } as const;
  const mask = await maskOf(session, root, source);
  if (mount.readOnly && mask === undefined) return { ...spec, source };
  const [top] = await walkTop(source);
  if (top?.kind !== 'directory') return { ...spec, source: mount.readOnly ? source : await copyOf(session, source) };
  const lower = mask === undefined ? [source] : [source, mask];
  const upper = mount.readOnly ? undefined : await scratchLike(session, top);
  const mounted = opening.use(await session.workshop.mounts.root(lower, upper));
  return { ...spec, source: mounted.path };
}

/** A folder that hides what is ignored, when laid over the source; undefined where nothing is. */
async function maskOf(session: Session, root: SourceRoot, source: string): Promise<string | undefined> {
  if (root.ignore === undefined || root.ignore.isEmpty) return undefined;
  const all = await walkTree(nameOf(source), session.signal);
  const hidden = hiddenOf(all, withoutIgnored(all, nameOf(relative(root.directory, source)), root.ignore));
  if (hidden.length === 0) return undefined;
  const mask = join(await session.temporaryDirectory(), 'mask');
  await writeMask(mask, { all, hidden });
  return mask;
}

async function walkTop(source: string): Promise<readonly TreeEntry[]> {
  return walkTree(nameOf(source), undefined, { onlyTop: true });
}

async function copyOf(session: Session, source: string): Promise<string> {
  const copy = join(await session.temporaryDirectory(), 'copy');
  await runOrThrow(['cp', '--archive', '--no-target-directory', '--', source, copy]);
  return copy;
}

/** An upper folder shows its own mode and owner. */
async function scratchLike(
  session: Session,
  top: TreeEntry,
): Promise<{ readonly directory: string; readonly workDirectory: string }> {
  const scratch = await session.temporaryDirectory();
  const upper = { directory: join(scratch, 'upper'), workDirectory: join(scratch, 'work') };
  for (const directory of Object.values(upper)) await mkdir(directory);
  await chown(upper.directory, top.uid, top.gid);
  await chmod(upper.directory, top.mode);
  return upper;
}
