import type { OciMount } from './oci.ts';

/** A user's mount with its source found: volumes have become folders. */
export type ResolvedMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation?: string;
      readonly recursive?: boolean;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      readonly mode?: number;
      readonly options?: readonly string[];
    };

export interface MountPlan {
  readonly shmSizeBytes: number;
  readonly privileged: boolean;
  /** Share the host's message queues and shared memory. */
  readonly hostIpc: boolean;
  /** The host has message queues to share. */
  readonly hostMqueue: boolean;
  /** Shared memory on /dev/shm. */
  readonly hasShm: boolean;
  readonly hidesCgroups: boolean;
  readonly mounts: readonly ResolvedMount[];
  /** Bound over /etc/hosts and so on, unless a user's mount is there. */
  readonly files: readonly { readonly source: string; readonly target: string }[];
}

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** Docker's default file systems, our files, then the user's mounts, outer ones first. */
export function renderMounts(plan: MountPlan): readonly OciMount[] {
  const users = plan.mounts.map((mount) => ({ ...mount, target: normalTarget(mount.target) }));
  const taken = new Set(users.map((mount) => mount.target));
  const files = plan.files.filter((file) => !taken.has(file.target));
  return [
    ...systemMounts(plan).filter((mount) => !taken.has(mount.destination)),
    ...files.map((file) => bindMount({ type: 'bind', ...file, readOnly: false })),
    ...users.sort((a, b) => depthOf(a.target) - depthOf(b.target)).map(renderMount),
  ];
}

function systemMounts(plan: MountPlan): readonly OciMount[] {
  const access = plan.privileged ? 'rw' : 'ro';
  const base = ['nosuid', 'noexec', 'nodev'];
  const shm = plan.shmSizeBytes > 0 ? plan.shmSizeBytes : DEFAULT_SHM_BYTES;
  return [
    mount('/proc', 'proc', 'proc', base),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/sys', 'sysfs', 'sysfs', [...base, access]),
    ...(plan.hidesCgroups ? [] : [mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [access, ...base])]),
    ...(plan.hostIpc
      ? [
          ...(plan.hostMqueue ? [mount('/dev/mqueue', 'bind', '/dev/mqueue', ['rbind', ...base])] : []),
          mount('/dev/shm', 'bind', '/dev/shm', ['rbind', ...base]),
        ]
      : [
          mount('/dev/mqueue', 'mqueue', 'mqueue', base),
          ...(plan.hasShm ? [mount('/dev/shm', 'tmpfs', 'shm', [...base, 'mode=1777', `size=${shm}`])] : []),
        ]),
  ];
}

function mount(destination: string, type: string, source: string, options: readonly string[]): OciMount {
  return { destination, type, source, options };
}

function renderMount(user: ResolvedMount): OciMount {
  return user.type === 'bind' ? bindMount(user) : tmpfsMount(user);
}

function bindMount(bind: Extract<ResolvedMount, { type: 'bind' }>): OciMount {
  return mount(bind.target, 'bind', bind.source, [
    bind.recursive === false ? 'bind' : 'rbind',
    bind.readOnly ? 'ro' : 'rw',
    bind.propagation ?? 'rprivate',
  ]);
}

const OPPOSITES: Readonly<Record<string, string>> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };

/** Docker's `nosuid,nodev,noexec` unless an option says the opposite. */
function tmpfsMount(tmpfs: Extract<ResolvedMount, { type: 'tmpfs' }>): OciMount {
  const options = tmpfs.options ?? [];
  const undone = new Set(options.map((option) => OPPOSITES[option]));
  const has = (key: string): boolean => options.some((option) => option.startsWith(`${key}=`));
  return mount(tmpfs.target, 'tmpfs', 'tmpfs', [
    ...['noexec', 'nosuid', 'nodev'].filter((option) => !undone.has(option) && !options.includes(option)),
    ...(has('mode') ? [] : [`mode=${(tmpfs.mode ?? 0o1777).toString(8)}`]),
    ...(tmpfs.sizeBytes && !has('size') ? [`size=${tmpfs.sizeBytes}`] : []),
    ...options.filter((option) => option !== 'defaults' && option !== ''),
  ]);
}

/** Absolute, without `.`, `..`, doubled or trailing slashes. */
export function normalTarget(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function depthOf(path: string): number {
  return path.split('/').length;
}
