import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { messageOf, UserError } from '../../lib/errors.ts';

/** A folder that only root may enter, in memory where it is mounted. */
export interface PlacesFolder {
  readonly directory: string;
  /** Makes it; nothing where it is there. */
  ensure(): void;
  /** Takes it away with all that is in it. */
  remove(): void;
}

const SIZE = '64m';

/** A tmpfs of bounded size that is not swapped out (where the kernel can promise that: 6.4 and later). */
export function memoryFolder(directory: string): PlacesFolder {
  return {
    directory,
    ensure: () => {
      if (isMounted(directory)) return;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const options = `size=${SIZE},mode=0700,nosuid,nodev`;
      try {
        mount(directory, `${options},noswap`);
      } catch {
        mountOrFail(directory, options);
      }
    },
    remove: () => {
      if (isMounted(directory)) execFileSync('umount', ['--lazy', directory], { stdio: 'pipe' });
    },
  };
}

/** For tests and tools without a run directory: on the disk. */
export function diskFolder(directory: string): PlacesFolder {
  return {
    directory,
    ensure: () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chmodSync(directory, 0o700);
    },
    remove: () => {},
  };
}

function mount(directory: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'bascule-files', directory], { stdio: 'pipe' });
}

function mountOrFail(directory: string, options: string): void {
  try {
    mount(directory, options);
  } catch (cause) {
    throw new UserError({
      code: 'files-not-mounted',
      kind: 'unavailable',
      message: `cannot mount memory for configs and secrets at ${directory}: ${messageOf(cause)}`,
      fix: 'The daemon has to run as root, with the right to mount (CAP_SYS_ADMIN).',
      cause,
    });
  }
}

function isMounted(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === escaped(directory));
}

/** As the kernel writes paths there (proc_pid_mountinfo(5)). */
function escaped(path: string): string {
  return path.replaceAll(/[\\ \t\n]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
