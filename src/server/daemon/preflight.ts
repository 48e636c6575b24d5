import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SystemCheck } from '../routes/system.ts';

interface Program {
  /** Any one of these will do. */
  readonly names: readonly string[];
  readonly package: string;
  readonly purpose: string;
  /** What is not possible without it; the daemon cannot start without the others. */
  readonly onlyFor?: string;
}

const PROGRAMS: readonly Program[] = [
  { names: ['crun', 'runc'], package: 'crun', purpose: 'starts the processes of containers' },
  { names: ['conmon'], package: 'conmon', purpose: 'holds each container' },
  { names: ['ip'], package: 'iproute2', purpose: 'makes networks' },
  { names: ['nft'], package: 'nftables', purpose: 'publishes ports' },
  { names: ['dnsmasq'], package: 'dnsmasq-base', purpose: 'answers names of services' },
  { names: ['haproxy'], package: 'haproxy', purpose: 'carries HTTP traffic' },
  {
    names: ['mmdebstrap'],
    package: 'mmdebstrap',
    purpose: 'makes Debian and Ubuntu base images',
    onlyFor: '`bascule image bootstrap debian:…`',
  },
  {
    names: ['busybox'],
    package: 'busybox-static',
    purpose: 'makes a tiny base image',
    onlyFor: '`bascule image bootstrap busybox`',
  },
  {
    names: ['socat'],
    package: 'socat',
    purpose: 'attaches to containers',
    onlyFor: 'standard input of `docker run -i`',
  },
  {
    names: ['iptables'],
    package: 'iptables',
    purpose: 'gets along with Docker',
    onlyFor: 'machines that have run Docker',
  },
];

const LOW_SPACE_BYTES = 2e9;

/** What can be told without a daemon: whether one could start here at all. */
export function preflight(o: { readonly root: string; readonly path: string }): readonly SystemCheck[] {
  return [
    ...(process.geteuid?.() === 0 ? [] : [asRoot]),
    ...PROGRAMS.map((program) => checkProgram(program, o.path)),
    checkOverlay(),
    checkSpace(o.root),
  ];
}

const asRoot: SystemCheck = {
  name: 'root',
  state: 'warning',
  detail: 'you are not root: only root can start the daemon',
  fix: 'Run the command with sudo, or install the daemon once with `sudo bascule daemon install`.',
};

function checkProgram(program: Program, path: string): SystemCheck {
  const [name = ''] = program.names;
  const found = program.names.map((each) => findProgram(each, path)).find((each) => each !== undefined);
  if (found !== undefined) return { name, state: 'ok', detail: found };
  return {
    name,
    state: program.onlyFor === undefined ? 'failed' : 'warning',
    detail: `not installed: it ${program.purpose}${program.onlyFor === undefined ? '' : ` (needed only for ${program.onlyFor})`}`,
    fix: `Install it: apt-get install ${program.package}`,
  };
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(':')
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkOverlay(): SystemCheck {
  const isThere = /\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'));
  return isThere
    ? { name: 'overlayfs', state: 'ok', detail: 'the kernel has it' }
    : {
        name: 'overlayfs',
        state: 'warning',
        detail: 'not loaded',
        fix: 'Run `modprobe overlay`; a kernel without it cannot run containers.',
      };
}

function checkSpace(root: string): SystemCheck {
  const folder = nearestThere(root);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const detail = `${(free / 1e9).toFixed(1)} GB free in ${folder}`;
  if (free >= LOW_SPACE_BYTES) return { name: 'disk', state: 'ok', detail };
  return {
    name: 'disk',
    state: 'warning',
    detail,
    fix: 'Make room, or put the root on a larger file system with --root.',
  };
}

function nearestThere(path: string): string {
  try {
    accessSync(path);
    return path;
  } catch {
    return path === '/' ? path : nearestThere(dirname(path));
  }
}
