import { lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { systemCodeOf } from '../../lib/errors.ts';
import { runOrThrow } from '../../lib/process.ts';
import type { MountSpec } from './container.ts';
import { invalidContainer } from './errors.ts';
import type { Host } from './host.ts';
import type { ResolvedMount } from './render-mounts.ts';
import { resolveInRoot } from '../../lib/root-path.ts';

/** Finds (or makes) the sources of a container's mounts; its root is mounted already. */
export async function resolveMounts(
  host: Host,
  mounts: readonly MountSpec[],
  root: string,
): Promise<readonly ResolvedMount[]> {
  const resolved: ResolvedMount[] = [];
  for (const mount of mounts) resolved.push(await resolveMount(host, mount, root));
  return resolved;
}

async function resolveMount(host: Host, mount: MountSpec, root: string): Promise<ResolvedMount> {
  switch (mount.type) {
    case 'tmpfs':
      return mount;
    case 'bind':
      await checkSource(mount);
      return mount;
    case 'volume': {
      const { mountpoint } = await host.volumes.create({ name: mount.name });
      if (!mount.noCopy) await fillVolume(root, mount.target, mountpoint);
      return { type: 'bind', source: mountpoint, target: mount.target, readOnly: mount.readOnly };
    }
  }
}

async function checkSource(mount: Extract<MountSpec, { type: 'bind' }>): Promise<void> {
  try {
    await stat(mount.source);
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT' && mount.createSource) {
      await mkdir(mount.source, { recursive: true });
      return;
    }
    throw invalidContainer(
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
      'Make the folder or file first, or correct its path.',
      cause,
    );
  }
}

/**
 * Gives an empty volume what the image has at the target, as Docker does. It appears whole or, after a crash, not at
 * all: the copy is made beside the volume and renamed over its empty folder.
 */
async function fillVolume(root: string, target: string, mountpoint: string): Promise<void> {
  if ((await readdir(mountpoint)).length > 0) return;
  const source = await resolveInRoot(root, target);
  const found = await lstat(source).catch(() => undefined);
  if (!found?.isDirectory() || source === root) return;
  const copy = `${mountpoint}.copy`;
  await rm(copy, { recursive: true, force: true });
  await runOrThrow(['cp', '--archive', '--no-target-directory', source, copy]);
  await rename(copy, mountpoint);
}
