import { readFile } from 'node:fs/promises';
import { run } from '../../lib/process.ts';
import { volumeMountFailed } from './errors.ts';
import type { VolumeRecord } from './types.ts';

/**
 * A volume with options is a file system of its own (`type`, `o`, `device`, as mount(8) takes them): it is mounted on
 * its folder by the first container that uses it, and stays until it is removed, or the machine restarts.
 * @throws UserError `volume-mount-failed`
 */
export async function mountVolume({ mountpoint, options }: VolumeRecord): Promise<void> {
  if (!isFileSystem({ options }) || (await isMounted(mountpoint))) return;
  const { type = '', o = '', device = '' } = options;
  const words = o === '' ? [] : ['-o', o];
  const { exitCode, stderr } = await run(['mount', '-t', type, ...words, '--', device, mountpoint]);
  if (exitCode !== 0) throw volumeMountFailed(mountpoint, stderr.trim());
}

/** Its files are somebody else's: nothing of them may be deleted with the volume. @throws UserError */
export async function unmountVolume({ mountpoint, options }: VolumeRecord): Promise<void> {
  if (!isFileSystem({ options }) || !(await isMounted(mountpoint))) return;
  const { stderr } = await run(['umount', mountpoint]);
  if (await isMounted(mountpoint)) throw volumeMountFailed(mountpoint, `it cannot be unmounted: ${stderr.trim()}`);
}

function isFileSystem({ options }: Pick<VolumeRecord, 'options'>): boolean {
  return options['device'] !== undefined;
}

/** Fields of /proc/self/mountinfo: the fifth is the mount point, its blanks as `\040`. */
async function isMounted(path: string): Promise<boolean> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text.split('\n').some((line) => line.split(' ')[4]?.replaceAll('\\040', ' ') === path);
}
