import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, rmdir, unlink, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveInRoot } from '../../lib/root-path.ts';
import { run, runOrThrow } from '../../lib/process.ts';
import type { VolumeRecord } from '../volume/index.ts';
import { invalidContainer } from './errors.ts';

/** Linux: a handle that names a file without opening it. Node has no name for it. */
const O_PATH = 0o10000000;

/**
 * Binds a folder or file below a volume to a place of its own, which the container gets. The way is gone part by part
 * and without following a link: containers that share the volume may change it at any time.
 * @throws UserError `container-invalid`
 */
export async function bindBelow(mountpoint: string, subpath: string, place: string): Promise<void> {
  const handle = await openBelow(mountpoint, subpath);
  try {
    if ((await handle.stat()).isDirectory()) await mkdir(place, { recursive: true, mode: 0o700 });
    else await writeFile(place, '');
    await runOrThrow(['mount', '--no-canonicalize', '--bind', nameOf(handle), place]);
  } finally {
    await handle.close();
  }
}

/** What was bound for a container; nothing happens where nothing is. The places are unmounted, never emptied. */
export async function unbind(directory: string, id: string): Promise<void> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.startsWith(`${id}-`));
  for (const name of names) {
    const place = join(directory, name);
    await run(['umount', '--lazy', '--quiet', place]);
    await rmdir(place).catch(() => unlink(place).catch(() => {})); // a folder or a file: where it is busy it stays
  }
}

async function openBelow(mountpoint: string, subpath: string): Promise<FileHandle> {
  let handle = await open(mountpoint, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  for (const part of subpath.split('/').filter((word) => word !== '' && word !== '.')) {
    const next = await open(`${nameOf(handle)}/${part}`, O_PATH | constants.O_NOFOLLOW).catch(() => undefined);
    await handle.close();
    if (next === undefined) throw noSubpath(mountpoint, subpath);
    handle = next;
    if (!(await handle.stat()).isSymbolicLink()) continue;
    await handle.close();
    throw noSubpath(mountpoint, `${subpath} (${part} is a link)`);
  }
  return handle;
}

/** A path that leads to what the handle names, for other processes too. */
function nameOf(handle: FileHandle): string {
  return `/proc/${process.pid}/fd/${handle.fd}`;
}

function noSubpath(mountpoint: string, subpath: string): Error {
  return invalidContainer(
    `cannot access path ${join(mountpoint, subpath)}: no such file or directory`,
    'A sub-path must be there before the container starts, and links are not followed.',
  );
}

/**
 * Gives an empty volume what the image has at the target, as Docker does. In a plain folder it appears whole or, after
 * a crash, not at all: the copy is made beside it and renamed over it.
 */
export async function fillVolume(root: string, target: string, volume: VolumeRecord): Promise<void> {
  const { mountpoint, options } = volume;
  if ((await readdir(mountpoint)).length > 0) return;
  const source = await resolveInRoot(root, target);
  const found: Stats | undefined = await lstat(source).catch(() => undefined);
  if (!found?.isDirectory() || source === root) return;
  if (options['device'] !== undefined) {
    await runOrThrow(['cp', '--archive', '--no-target-directory', source, mountpoint]);
    return;
  }
  const copy = `${mountpoint}.copy`;
  await rm(copy, { recursive: true, force: true });
  await runOrThrow(['cp', '--archive', '--no-target-directory', source, copy]);
  await rename(copy, mountpoint);
}
