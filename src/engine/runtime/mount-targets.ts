import { resolveInRoot } from '../../lib/root-path.ts';
import { normalTarget } from './render-mounts.ts';

/**
 * Targets of mounts with the links of the image followed, within its root: crun refuses links to what is not there, and
 * would not make it, as runc does. What lies in another mount is left to the runtime, which sees that one's links.
 */
export async function followTargets<Mount extends { readonly target: string }>(
  root: string,
  mounts: readonly Mount[],
): Promise<readonly Mount[]> {
  const targets = mounts.map(({ target }) => normalTarget(target));
  return Promise.all(
    mounts.map(async (mount, index) => {
      const target = targets[index] ?? mount.target;
      if (targets.some((other) => target.startsWith(`${other}/`))) return { ...mount, target };
      const resolved = await resolveInRoot(root, target);
      return { ...mount, target: `/${resolved.slice(root.length).replace(/^\/+/, '')}` };
    }),
  );
}
