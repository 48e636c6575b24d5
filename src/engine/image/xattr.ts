/** Reads extended attributes without a child process. */
export interface XattrReader {
  /** All of them, links not followed; undefined when they cannot be read this way. */
  read(path: Buffer): ReadonlyMap<string, Buffer> | undefined;
}

const NONE: ReadonlyMap<string, Buffer> = new Map();
/** The kernel's limits for a list of names and for a value (xattr(7)). */
const MAX_BYTES = 65_536;

type Call = (...args: readonly (Buffer | bigint)[]) => bigint;

/**
 * node:fs cannot read extended attributes; libc can, through Node's foreign function interface. That interface is
 * experimental: where it is missing or changed this is undefined, and the caller lets GNU tar read them (a child
 * process, 3 ms).
 */
export function openXattrReader(): XattrReader | undefined {
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen(null, {
      llistxattr: { arguments: ['buffer', 'buffer', 'uint64'], return: 'int64' },
      lgetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'uint64'], return: 'int64' },
    });
    return createReader(functions.llistxattr as Call, functions.lgetxattr as Call);
  } catch {
    return undefined;
  }
}

function createReader(list: Call, get: Call): XattrReader {
  const names = Buffer.alloc(MAX_BYTES);
  const value = Buffer.alloc(MAX_BYTES);
  return {
    read(path) {
      const pathZ = zeroEnded(path);
      const length = Number(list(pathZ, names, BigInt(MAX_BYTES)));
      if (length === 0) return NONE;
      if (length < 0) return undefined;
      const xattrs = new Map<string, Buffer>();
      for (const name of names.toString('latin1', 0, length - 1).split('\0')) {
        const size = Number(get(pathZ, zeroEnded(Buffer.from(name, 'latin1')), value, BigInt(MAX_BYTES)));
        if (size < 0) return undefined;
        xattrs.set(name, Buffer.from(value.subarray(0, size)));
      }
      return xattrs;
    },
  };
}

function zeroEnded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}
