import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../lib/errors.ts';

/** Where control groups are mounted. */
export const CGROUP_ROOT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'cpu,cpuacct', 'cpuset', 'devices', 'freezer', 'pids', 'blkio'];
const OTHERS = [
  'systemd',
  'unified',
  'net_cls',
  'net_prio',
  'net_cls,net_prio',
  'hugetlb',
  'perf_event',
  'rdma',
  'misc',
];

/** The folder of a control group, e.g. of `/bascule/<id>`; the controller matters on version 1 only. */
export function cgroupDirectory(version: 1 | 2, controller: string, path: string): string {
  return version === 2 ? join(CGROUP_ROOT, path) : join(CGROUP_ROOT, controller, path);
}

export async function readCgroupFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'ENOTDIR', 'EOPNOTSUPP'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** `key value` lines. */
export function parseKeyed(text: string | undefined): Readonly<Record<string, number>> {
  const rows = (text ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(rows.flatMap(([key, value]) => (key && value ? [[key, Number(value)]] : [])));
}

/** Whether the kernel killed a process of the group for want of memory. */
export async function wasOomKilled(version: 1 | 2, path: string): Promise<boolean> {
  const file = version === 2 ? 'memory.events' : 'memory.oom_control';
  const text = await readCgroupFile(join(cgroupDirectory(version, 'memory', path), file));
  return (parseKeyed(text)['oom_kill'] ?? 0) > 0;
}

/** Processes of a group. */
export async function processesOf(version: 1 | 2, path: string): Promise<readonly number[]> {
  const text = await readCgroupFile(join(cgroupDirectory(version, 'pids', path), 'cgroup.procs'));
  return (text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Removes empty groups; those that live stay. @returns whether none is left */
export async function removeCgroup(version: 1 | 2, path: string): Promise<boolean> {
  const directories =
    version === 2
      ? [join(CGROUP_ROOT, path)]
      : [...CONTROLLERS, ...OTHERS].map((controller) => join(CGROUP_ROOT, controller, path));
  const gone = await Promise.all(directories.map((directory) => isRemoved(directory)));
  return gone.every(Boolean);
}

async function isRemoved(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'ENOENT';
  }
}

/** Names of the groups under a parent. */
export async function childGroups(version: 1 | 2, parent: string): Promise<readonly string[]> {
  const entries = await readdir(cgroupDirectory(version, 'pids', parent), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
