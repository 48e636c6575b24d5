import { run } from '../../lib/process.ts';

/** Takes a bind mount of a namespace away; nothing happens where there is none. */
export type Unmount = (path: string) => Promise<void>;

/**
 * By a system call, where Node's foreign function interface (experimental) is there: a namespace has nothing to bring to
 * the disk, so it takes a fraction of a millisecond, and a process takes four. Otherwise by umount(8).
 */
export function openUnmount(): Unmount {
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen(null, { umount2: { arguments: ['buffer', 'int32'], return: 'int32' } });
    const umount2 = functions.umount2 as (target: Buffer, flags: number) => number;
    return async (path) => {
      if (umount2(Buffer.from(`${path}\0`), 0) !== 0) await byProcess(path);
    };
  } catch {
    return byProcess;
  }
}

async function byProcess(path: string): Promise<void> {
  await run(['umount', path]);
}
