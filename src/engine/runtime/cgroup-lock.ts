import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CGROUP_ROOT } from './cgroup.ts';

/**
 * Says that a process is about to be moved into a control group. For that the kernel takes a lock against every fork,
 * and unless it has just been taken, it first waits until each processor has been through the scheduler: 8 to 10 ms.
 * An OCI runtime comes there about 10 ms after its start, so the wait may as well go on meanwhile. What we do is to
 * move ourselves to where we are: nothing changes, and nothing depends on it.
 */
export async function expectMigration(version: 1 | 2): Promise<void> {
  try {
    const file = ownProcessesFile(await readFile('/proc/self/cgroup', 'utf8'), version);
    if (file !== undefined) await writeFile(file, '0', { flag: 'r+' });
  } catch {
    // The runtime waits itself then.
  }
}

/**
 * `cgroup.procs` of the group that we are in (cgroups(7), /proc/pid/cgroup); undefined where it is out of sight. Pure.
 */
export function ownProcessesFile(text: string, version: 1 | 2): string | undefined {
  const rows = text.split('\n').map((line) => /^(\d+):([^:]*):(\/.*)$/.exec(line));
  const own = rows.find((row) => (version === 2 ? row?.[1] === '0' : row?.[2]?.split(',').includes('pids')));
  const path = own?.[3];
  if (path === undefined || path.split('/').includes('..') || path.endsWith(' (deleted)')) return undefined;
  return join(CGROUP_ROOT, version === 2 ? '' : (own?.[2] ?? ''), path, 'cgroup.procs');
}
