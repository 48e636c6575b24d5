import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../lib/errors.ts';
import { newId } from '../../lib/id.ts';
import type { MountSpec } from './container.ts';
import { invalidContainer } from './errors.ts';
import type { Host } from './host.ts';
import type { ResolvedMount } from './render-mounts.ts';
import { bindBelow, fillVolume } from './volume-source.ts';

interface Resolving {
  readonly host: Host;
  readonly root: string;
  /** Of the container; sub-paths of volumes are bound below `host.paths.subpaths` under it. */
  readonly id: string;
}

/** Finds (or makes) the sources of a container's mounts; its root is mounted already. */
export async function resolveMounts(
  mounts: readonly MountSpec[],
  resolving: Resolving,
): Promise<readonly ResolvedMount[]> {
  const resolved: ResolvedMount[] = [];
  for (const mount of mounts) resolved.push(await resolveMount(mount, resolving));
  return resolved;
}

async function resolveMount(mount: MountSpec, resolving: Resolving): Promise<ResolvedMount> {
  switch (mount.type) {
    case 'tmpfs':
      return mount;
    case 'bind':
      await checkSource(mount);
      return mount;
    case 'volume':
      return {
        type: 'bind',
        target: mount.target,
        readOnly: mount.readOnly,
        source: await volumeSource(mount, resolving),
      };
  }
}

async function volumeSource(
  { name, target, noCopy, subpath }: Extract<MountSpec, { type: 'volume' }>,
  { host, root, id }: Resolving,
): Promise<string> {
  await host.volumes.create({ name });
  const volume = await host.volumes.prepare(name);
  if (subpath !== undefined) {
    const place = join(host.paths.subpaths, `${id}-${newId().slice(0, 12)}`);
    await bindBelow(volume.mountpoint, subpath, place);
    return place;
  }
  if (!noCopy) await fillVolume(root, target, volume);
  return volume.mountpoint;
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
