import { randomBytes } from 'node:crypto';

/** A fresh identifier as Docker makes them: 64 lower-case hexadecimal digits. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** The first 12 digits of an identifier or digest, as Docker prints it. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
