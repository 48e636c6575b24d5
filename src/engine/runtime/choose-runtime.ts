import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/process.ts';
import type { OciRuntime } from './argv.ts';
import { CGROUP_ROOT } from './cgroup.ts';
import { runtimeMissing } from './errors.ts';
import { findProgram } from './machine.ts';
import type { RuntimePaths } from './paths.ts';
import type { Machine } from './render-spec.ts';

/** Of Debian 12, and the oldest that was tried: Ubuntu 22.04 has 0.17. */
const OLDEST_CRUN = [1, 8] as const;

/**
 * The OCI runtimes of this machine; the first one is for new containers, the others for those that they began. crun is
 * written in C, and starts in a third of the time of runc; where it is missing or old, runc is taken.
 * @throws UserError `runtime-missing`
 */
export async function chooseRuntimes(
  machine: Machine,
  paths: RuntimePaths,
): Promise<readonly [OciRuntime, ...OciRuntime[]]> {
  const runc = findRunc(paths);
  const crun = await findCrun(machine, paths);
  if (crun !== undefined) return runc === undefined ? [crun] : [crun, runc];
  if (runc !== undefined) return [runc];
  throw runtimeMissing(`neither runc nor crun from version ${OLDEST_CRUN.join('.')} on is installed`);
}

function findRunc(paths: RuntimePaths): OciRuntime | undefined {
  const program = findProgram('runc');
  if (program === undefined) return undefined;
  return { name: 'runc', program, leading: [], stateDirectory: paths.states };
}

async function findCrun(machine: Machine, paths: RuntimePaths): Promise<OciRuntime | undefined> {
  const program = findProgram('crun');
  if (program === undefined) return undefined;
  const { stdout } = await run([program, '--version']);
  if (!isRecent(stdout)) return undefined;
  const found = { name: 'crun', stateDirectory: paths.crunStates } as const;
  const own = ['--cgroup-manager=cgroupfs'];
  if (machine.cgroupVersion === 2 || !(await isHybrid())) return { ...found, program, leading: own };
  const unshare = findProgram('unshare');
  if (unshare === undefined) return undefined;
  return { ...found, program: unshare, leading: [...(await withoutUnified()), program, ...own] };
}

function isRecent(text: string): boolean {
  const [, major = 0, minor = 0] = /^crun version (\d+)\.(\d+)/.exec(text)?.map(Number) ?? [];
  return major > OLDEST_CRUN[0] || (major === OLDEST_CRUN[0] && minor >= OLDEST_CRUN[1]);
}

const CGROUP2_MAGIC = 0x63677270;

/** Controllers in version 1, and a tree of version 2 beside them (systemd's hybrid hierarchy). */
async function isHybrid(): Promise<boolean> {
  const { type } = await statfs(join(CGROUP_ROOT, 'unified')).catch(() => ({ type: 0 }));
  return type === CGROUP2_MAGIC;
}

/**
 * crun refuses the hybrid hierarchy where it sees it: it runs in a mount namespace of its own, in which the tree of
 * version 2 is not mounted. Mounts go on being shared with the machine as before, but for that of the control groups.
 */
async function withoutUnified(): Promise<readonly string[]> {
  const isShared = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .some((line) => line.split(' ')[4] === CGROUP_ROOT && line.includes(' shared:'));
  const keepToOurselves = isShared ? `mount --make-private ${CGROUP_ROOT} && ` : '';
  const script = `${keepToOurselves}umount ${join(CGROUP_ROOT, 'unified')} && exec "$0" "$@"`;
  return ['--mount', '--propagation', 'unchanged', '/bin/sh', '-c', script];
}
