import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceSpec } from './container.ts';
import { invalidContainer } from './errors.ts';
import type { DeviceNode } from './render-spec.ts';

/** The nodes that a container asked for; folders are taken with what is in them. */
export async function resolveDevices(devices: readonly DeviceSpec[]): Promise<readonly DeviceNode[]> {
  const lists = await Promise.all(devices.map((device) => nodesAt(device)));
  return lists.flat();
}

/** All devices of the host, for privileged containers. Terminals and shared memory stay the container's own. */
export async function hostDevices(): Promise<readonly DeviceNode[]> {
  const own = new Set([
    'pts',
    'shm',
    'mqueue',
    'fd',
    'ptmx',
    'console',
    'null',
    'zero',
    'full',
    'tty',
    'random',
    'urandom',
  ]);
  const names = (await readdir('/dev')).filter((name) => !own.has(name));
  const lists = await Promise.all(names.map((name) => nodesAt(rwm(join('/dev', name))).catch(() => [])));
  return lists.flat();
}

function rwm(path: string): DeviceSpec {
  return { pathOnHost: path, pathInContainer: path, permissions: 'rwm' };
}

async function nodesAt(device: DeviceSpec): Promise<readonly DeviceNode[]> {
  const found = await stat(device.pathOnHost).catch((cause: unknown) => {
    throw invalidContainer(
      `error gathering device information while adding custom device "${device.pathOnHost}": no such file or directory`,
      'Check the path of the device on this host.',
      cause,
    );
  });
  if (found.isDirectory()) {
    const names = await readdir(device.pathOnHost);
    const children = names.map((name) => ({
      ...device,
      pathOnHost: join(device.pathOnHost, name),
      pathInContainer: join(device.pathInContainer, name),
    }));
    return (await Promise.all(children.map((child) => nodesAt(child).catch(() => [])))).flat();
  }
  if (!found.isCharacterDevice() && !found.isBlockDevice()) return [];
  return [
    {
      path: device.pathInContainer || device.pathOnHost,
      type: found.isBlockDevice() ? 'b' : 'c',
      ...splitDeviceNumber(found.rdev),
      fileMode: found.mode & 0o777,
      uid: found.uid,
      gid: found.gid,
      access: device.permissions || 'rwm',
    },
  ];
}

/** makedev(3) of glibc, undone. */
function splitDeviceNumber(rdev: number): { major: number; minor: number } {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}
