import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/process.ts';
import { overlayMountArgv } from '../image/index.ts';
import type { Entry } from './containers.ts';
import { mountDenied, mountUnsupported } from './errors.ts';
import type { Host } from './host.ts';

/** mount(8), exit status. */
const MOUNT_FAILED = 32;

type Mounted = Pick<Entry, 'paths' | 'spec'>;

/**
 * Mounts an image's layers under the container's own, in the host's mount namespace: it outlives the daemon. Nothing of
 * a container that is removed by itself is brought to the disk, where the kernel can do that (5.10).
 */
export async function mountRoot(host: Host, { paths, spec }: Mounted): Promise<void> {
  const lower = host.images.layersOf(spec.imageId).map((layer) => layer.directory);
  await Promise.all([paths.root, paths.upper, paths.work].map((path) => mkdir(path, { recursive: true })));
  const overlay = { lower, upper: paths.upper, work: paths.work, target: paths.root };
  if (spec.autoRemove) {
    await rm(join(paths.work, 'work', 'incompat'), { recursive: true, force: true }); // of an earlier mount: docker cp
    if (host.mountCalls?.mount({ ...overlay, isVolatile: true })) return;
  }
  if (host.mountCalls?.mount(overlay)) return;
  const result = await run(overlayMountArgv(overlay));
  if (result.exitCode === 0) return;
  throw await explainFailure(result.exitCode, result.stderr.trim());
}

/** Privileges or the kernel: looked up, not read from the message. */
async function explainFailure(exitCode: number, detail: string): Promise<Error> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const CAP_SYS_ADMIN = 21n;
  if (((effective >> CAP_SYS_ADMIN) & 1n) === 0n || exitCode !== MOUNT_FAILED) return mountDenied(detail);
  return mountUnsupported(detail);
}

/** What is volatile has nothing to wait for: a call does it, where nobody uses it any more. */
export async function unmountContainer(host: Host, { paths, spec }: Mounted): Promise<void> {
  if (spec.autoRemove && host.mountCalls?.unmount(paths.root)) return;
  await unmountRoot(paths.root);
}

/** Nothing happens where nothing is mounted. Lazy: a process outside may still look into it. */
export async function unmountRoot(root: string): Promise<void> {
  await run(['umount', '--lazy', '--quiet', root]);
}
