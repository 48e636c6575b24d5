/** What node:fs cannot do with a file. Paths are bytes; links are not followed. */
export interface FileCalls {
  /** @param time whole seconds since 1970, a point, and the nanoseconds above them, before 1970 too (as find(1) has it) */
  setTime(path: Buffer, time: string): void;
  /** `security.capability` and `user.*`, sorted by name. */
  readXattrs(path: Buffer): ReadonlyMap<string, Buffer>;
  writeXattrs(path: Buffer, xattrs: ReadonlyMap<string, Buffer>): void;
}

const NONE: ReadonlyMap<string, Buffer> = new Map();
/** The kernel's limit for a list of names and for a value (xattr(7)). */
const MAX_BYTES = 65_536;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

type Call = (...args: readonly (Buffer | bigint | number)[]) => bigint | number;

/**
 * Through Node's foreign function interface, which is experimental: undefined where it is missing or changed; GNU tar
 * does the same then, a few milliseconds slower.
 */
export function openFileCalls(): FileCalls | undefined {
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen(null, {
      llistxattr: { arguments: ['buffer', 'buffer', 'uint64'], return: 'int64' },
      lgetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'uint64'], return: 'int64' },
      lsetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'uint64', 'int32'], return: 'int32' },
      utimensat: { arguments: ['int32', 'buffer', 'buffer', 'int32'], return: 'int32' },
    });
    return createCalls(functions as unknown as Readonly<Record<Name, Call>>);
  } catch {
    return undefined;
  }
}

type Name = 'llistxattr' | 'lgetxattr' | 'lsetxattr' | 'utimensat';

function createCalls(libc: Readonly<Record<Name, Call>>): FileCalls {
  const list = Buffer.alloc(MAX_BYTES);
  const value = Buffer.alloc(MAX_BYTES);
  return {
    setTime(path, time) {
      const spec = timespecOf(time);
      const times = Buffer.concat([spec, spec]);
      if (Number(libc.utimensat(AT_FDCWD, zeroEnded(path), times, AT_SYMLINK_NOFOLLOW)) !== 0)
        throw new Error(`the time of ${path.toString()} cannot be set`);
    },
    readXattrs(path) {
      const pathZ = zeroEnded(path);
      const length = Number(libc.llistxattr(pathZ, list, BigInt(MAX_BYTES)));
      if (length <= 0) return NONE;
      const names = list
        .toString('latin1', 0, length - 1)
        .split('\0')
        .filter(isKept)
        .sort();
      const found = new Map<string, Buffer>();
      for (const name of names) {
        const size = Number(libc.lgetxattr(pathZ, zeroEnded(Buffer.from(name, 'latin1')), value, BigInt(MAX_BYTES)));
        if (size >= 0) found.set(name, Buffer.from(value.subarray(0, size)));
      }
      return found;
    },
    writeXattrs(path, xattrs) {
      const pathZ = zeroEnded(path);
      for (const [name, bytes] of xattrs) {
        const nameZ = zeroEnded(Buffer.from(name, 'latin1'));
        // An empty buffer may have no address.
        const given = bytes.length === 0 ? Buffer.alloc(1) : bytes;
        if (Number(libc.lsetxattr(pathZ, nameZ, given, BigInt(bytes.length), 0)) !== 0)
          throw new Error(`the attribute ${name} of ${path.toString()} cannot be set`);
      }
    },
  };
}

/** What belongs to the file, and not to this machine or to overlayfs. */
function isKept(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/** `struct timespec` on 64-bit machines. */
function timespecOf(time: string): Buffer {
  const [, whole = '0', digits = ''] = /^(-?\d+)(?:\.(\d*))?$/.exec(time) ?? [];
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(whole), 0);
  bytes.writeBigInt64LE(BigInt(digits.slice(0, 9).padEnd(9, '0')), 8);
  return bytes;
}

function zeroEnded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}
