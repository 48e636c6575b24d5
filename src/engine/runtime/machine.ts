import { accessSync, constants, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere } from '../../lib/files.ts';
import { platformOfNode } from '../../lib/oci/index.ts';
import { capabilitiesOfMask } from './capabilities.ts';
import { CGROUP_ROOT } from './cgroup.ts';
import { parseHardLimits } from './render-resources.ts';
import type { Machine } from './render-spec.ts';

/** Where the programs of distributions are. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Of the OCI runtime. It lives for some milliseconds: what collecting garbage would free (runc is of Go) is not worth the
 * time. Containers get nothing of it: their environment is in their specification.
 */
export const RUNTIME_ENVIRONMENT = { PATH: SYSTEM_PATH, GOGC: 'off' } as const;

/** What this machine has: looked at once. */
export async function detectMachine(): Promise<Machine> {
  const [status, limits, oomScore] = await Promise.all([
    readFile('/proc/self/status', 'utf8'),
    readFile('/proc/self/limits', 'utf8'),
    readTextIfThere('/proc/self/oom_score_adj'),
  ]);
  const cgroupVersion = existsSync(join(CGROUP_ROOT, 'cgroup.controllers')) ? 2 : 1;
  const capabilities = capabilitiesOfMask(/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0');
  return {
    architecture: platformOfNode(process.arch).architecture,
    cgroupVersion,
    capabilities,
    mqueue: existsSync('/dev/mqueue'),
    seccomp: /^Seccomp:/m.test(status),
    resources: {
      swapLimit: limitsSwap(cgroupVersion),
      raisesLimits: capabilities.includes('CAP_SYS_RESOURCE'),
      hardLimits: parseHardLimits(limits),
      oomScoreAdj: Number(oomScore ?? 0),
    },
  };
}

/** Version 2 has the file in every group but the root. */
function limitsSwap(cgroupVersion: 1 | 2): boolean {
  const files =
    cgroupVersion === 1
      ? ['memory/memory.memsw.limit_in_bytes']
      : ['system.slice/memory.swap.max', 'init.scope/memory.swap.max', 'init/memory.swap.max'];
  return files.some((file) => existsSync(join(CGROUP_ROOT, file)));
}

/** The program that reaps orphans for `--init`; undefined where none is installed. */
export function findInit(): string | undefined {
  return findProgram('tini-static') ?? findProgram('catatonit') ?? findProgram('tini');
}

export function findProgram(name: string): string | undefined {
  return SYSTEM_PATH.split(':')
    .map((directory) => join(directory, name))
    .find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
