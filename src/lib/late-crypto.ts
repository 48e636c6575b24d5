import type * as Crypto from 'node:crypto';

/** `node:crypto`, loaded when it is first needed: that takes 6 ms, at every start of a command where it is imported. */
export function lateCrypto(): typeof Crypto {
  return process.getBuiltinModule('node:crypto');
}
