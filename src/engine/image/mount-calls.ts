import { overlayOptions, type OverlayMount } from './overlay-argv.ts';

/**
 * Mounts overlays by system calls: a child process takes 4 ms for each, a call a quarter of one. They hold up
 * everything else meanwhile, so only what is quick is done by them.
 */
export interface MountCalls {
  /** False where it did not work, or has to be done in another way: mount(8) does it, or finds the words for it. */
  mount(overlay: OverlayMount): boolean;
  /** Only for what need not be brought to the disk: read-only or volatile. False where somebody uses it. */
  unmount(target: string): boolean;
}

/** Options that are longer do not fit in a page (mount(2)). */
const MOST_BYTES = 4_095;

type Call = (...args: readonly (Buffer | bigint | number)[]) => number;

/** Through Node's foreign function interface, which is experimental: undefined where it is missing or changed. */
export function openMountCalls(): MountCalls | undefined {
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen(null, {
      mount: { arguments: ['buffer', 'buffer', 'buffer', 'uint64', 'buffer'], return: 'int32' },
      umount2: { arguments: ['buffer', 'int32'], return: 'int32' },
    });
    return createCalls(functions.mount as Call, functions.umount2 as Call);
  } catch {
    return undefined;
  }
}

function createCalls(mount: Call, unmount: Call): MountCalls {
  const overlayName = zeroEnded('overlay');
  return {
    mount(overlay) {
      const isStack = overlay.upper === undefined ? overlay.lower.length > 1 : overlay.lower.length > 0;
      const options = overlayOptions(overlay);
      if (!isStack || Buffer.byteLength(options) > MOST_BYTES) return false;
      return mount(overlayName, zeroEnded(overlay.target), overlayName, 0n, zeroEnded(options)) === 0;
    },
    unmount: (target) => unmount(zeroEnded(target), 0) === 0,
  };
}

function zeroEnded(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
