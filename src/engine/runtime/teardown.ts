import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../lib/process.ts';
import { runtimeArgv } from './argv.ts';
import { removeCgroup } from './cgroup.ts';
import type { Entry } from './containers.ts';
import { runtimeOf, type Host } from './host.ts';
import { unmountContainer } from './root-mount.ts';
import { unbind } from './volume-source.ts';

/** Takes away what a start made: runtime state and control group, root mount, network, bundle. Any part may be gone. */
export async function tearDown(host: Host, entry: Entry): Promise<void> {
  await Promise.all([deleteState(host, entry), unmountContainer(host, entry), host.networks.closeSandbox(entry.id)]);
  await unbind(host.paths.subpaths, entry.id);
  await rm(dirname(entry.paths.attachSocket), { recursive: true, force: true });
  await rm(entry.paths.bundle, { recursive: true, force: true }); // last: as long as it is there, there is something to do
}

/**
 * Where the control groups go, no process is left in them, and all that the runtime's `delete` would do is to remove its
 * state: a process of 20 ms is saved. Otherwise (processes outlive the first one, groups were made inside) the runtime is asked.
 */
async function deleteState(host: Host, entry: Entry): Promise<void> {
  const { machine } = host;
  const runtime = runtimeOf(host, entry.id);
  if (await removeCgroup(machine.cgroupVersion, entry.paths.cgroup))
    return rm(join(runtime.stateDirectory, entry.id), { recursive: true, force: true });
  await run(runtimeArgv(runtime, 'delete', '--force', entry.id));
  await removeCgroup(machine.cgroupVersion, entry.paths.cgroup);
}
