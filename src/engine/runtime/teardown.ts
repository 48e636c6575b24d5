import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { run } from '../../lib/process.ts';
import { runtimeArgv } from './argv.ts';
import { removeCgroup } from './cgroup.ts';
import type { Entry } from './containers.ts';
import type { Host } from './host.ts';
import { unmountRoot } from './root-mount.ts';

/** Takes away what a start made: runtime state and control group, root mount, network, bundle. Any part may be gone. */
export async function tearDown(host: Host, entry: Entry): Promise<void> {
  await Promise.all([deleteState(host, entry), unmountRoot(entry.paths.root), host.networks.closeSandbox(entry.id)]);
  await Promise.all([
    rm(entry.paths.bundle, { recursive: true, force: true }),
    rm(dirname(entry.paths.attachSocket), { recursive: true, force: true }),
  ]);
}

async function deleteState(host: Host, entry: Entry): Promise<void> {
  await run(runtimeArgv(host.runtime, 'delete', '--force', entry.id));
  await removeCgroup(host.machine.cgroupVersion, entry.paths.cgroup);
}
