import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';

export type Purpose = 'file' | 'release' | 'check';

/** Seals what stands on the disk: AES-256-GCM, with a key of its own for each purpose (HKDF-SHA-256, RFC 5869). */
export interface Keyring {
  /** @param name what this is, e.g. its version: it opens under this name only */
  seal(purpose: Purpose, name: string, content: Uint8Array): Buffer;
  /** @throws UserError `sealed-broken` */
  open(purpose: Purpose, name: string, sealed: Uint8Array): Buffer;
  /** A name for a content from which nobody without the key can guess it: HMAC-SHA-256, hexadecimal. */
  versionOf(content: Uint8Array): string;
}

export interface KeyringOptions {
  /** `<root>/delivery`: `secrets.key` lies here unless `keyFile` is given, and `secrets.check` that knows the key. */
  readonly directory: string;
  /** A file with 32 bytes or more, e.g. a systemd credential. */
  readonly keyFile?: string;
  /** Is told when others can read the key. */
  readonly log?: Pick<Log, 'warn'>;
}

/**
 * Opens the keys of a root; makes them the first time.
 * @throws UserError `secrets-key-missing`, `secrets-key-wrong`, `secrets-key-short`
 */
export function openKeyring(o: KeyringOptions): Keyring {
  const checkFile = join(o.directory, 'secrets.check');
  const check = readIfThere(checkFile);
  const sealed = sealedIn(o.directory);
  const isKnown = check !== undefined || sealed.length > 0;
  const master = o.keyFile === undefined ? ownKey(o.directory, isKnown) : givenKey(o.keyFile);
  warnIfReadable(o);
  const keyring = keyringOf(master);
  if (check !== undefined) requireSameKey(keyring, check, o);
  else {
    requireOpensAny(keyring, sealed, o);
    writeDurably(checkFile, keyring.seal('check', 'check', Buffer.from('bascule')));
  }
  return keyring;
}

interface SealedFile {
  readonly path: string;
  readonly version: string;
}

/** Contents that some key has sealed already. */
function sealedIn(directory: string): readonly SealedFile[] {
  const folder = join(directory, 'files');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.flatMap((name) => {
    const version = /^(?:old-)?([0-9a-f]{64})$/.exec(name)?.[1];
    return version === undefined ? [] : [{ path: join(folder, name), version }];
  });
}

/** Where what knows the key is lost, contents know it too. One of them may be broken; that all are is not believed. */
function requireOpensAny(keyring: Keyring, sealed: readonly SealedFile[], o: KeyringOptions): void {
  if (sealed.length === 0) return;
  const opens = ({ path, version }: SealedFile): boolean => {
    try {
      return keyring.open('file', version, readFileSync(path)).length >= 0;
    } catch {
      return false;
    }
  };
  if (!sealed.some(opens)) throw keyWrong(o);
}

function warnIfReadable({ directory, keyFile, log }: KeyringOptions): void {
  const path = keyFile ?? join(directory, 'secrets.key');
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  const fix = `chmod 600 ${path}`;
  log?.warn({ path, mode: mode.toString(8), fix }, 'others on this machine may read or change the key of all secrets');
}

const MAGIC = Buffer.from('BSC1');
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

function keyringOf(master: Uint8Array): Keyring {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', master, '', `bascule ${purpose}`, KEY_BYTES));
  const keys = { file: derive('file'), release: derive('release'), check: derive('check') };
  const naming = derive('version');
  return {
    seal: (purpose, name, content) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keys[purpose], nonce).setAAD(labelOf(purpose, name));
      const body = Buffer.concat([cipher.update(content), cipher.final()]);
      return Buffer.concat([MAGIC, nonce, body, cipher.getAuthTag()]);
    },
    open: (purpose, name, sealed) => openSealed(Buffer.from(sealed), keys[purpose], { purpose, name }),
    versionOf: (content) => createHmac('sha256', naming).update(content).digest('hex'),
  };
}

function labelOf(purpose: Purpose, name: string): Buffer {
  return Buffer.from(`${purpose} ${name}`);
}

function openSealed(
  sealed: Buffer,
  key: Buffer,
  { purpose, name }: { readonly purpose: Purpose; readonly name: string },
): Buffer {
  const bodyAt = MAGIC.length + NONCE_BYTES;
  const tagAt = sealed.length - TAG_BYTES;
  if (tagAt < bodyAt || !sealed.subarray(0, MAGIC.length).equals(MAGIC)) throw broken(purpose, name);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(MAGIC.length, bodyAt), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(labelOf(purpose, name)).setAuthTag(sealed.subarray(tagAt));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(bodyAt, tagAt)), decipher.final()]);
  } catch (cause) {
    throw broken(purpose, name, cause);
  }
}

function broken(purpose: Purpose, name: string, cause?: unknown): UserError {
  return new UserError({
    code: 'sealed-broken',
    kind: 'failed',
    message: `the sealed ${purpose} ${name.slice(0, 24)} cannot be opened: it was changed, or sealed with another key`,
    fix: 'Restore the root folder together with its key, or deploy again: contents are read anew.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Made once: whole and on the disk before it has its name. A lost one is never replaced in silence. */
function ownKey(directory: string, isKnown: boolean): Buffer {
  const path = join(directory, 'secrets.key');
  const there = readIfThere(path);
  if (there !== undefined) return there.length >= KEY_BYTES ? there : tooShort(path);
  if (isKnown) throw keyMissing(path);
  for (const name of readdirSync(directory))
    if (/^secrets\.key\.[0-9a-f]{12}\.tmp$/.test(name)) rmSync(join(directory, name), { force: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  writeAndSync(temporary, randomBytes(KEY_BYTES));
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(directory);
  return readFileSync(path);
}

function givenKey(path: string): Buffer {
  const there = readIfThere(path);
  if (there === undefined) throw keyMissing(path);
  return there.length >= KEY_BYTES ? there : tooShort(path);
}

function requireSameKey(keyring: Keyring, check: Buffer, o: KeyringOptions): void {
  try {
    keyring.open('check', 'check', check);
  } catch (cause) {
    throw keyWrong(o, cause);
  }
}

function keyWrong({ directory, keyFile }: KeyringOptions, cause?: unknown): UserError {
  return new UserError({
    code: 'secrets-key-wrong',
    kind: 'unavailable',
    message: `the key in ${keyFile ?? join(directory, 'secrets.key')} is not the one that this root was sealed with`,
    fix: 'Give the key of this root back (BASCULE_SECRETS_KEY_FILE or secrets.key); nothing was changed.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function keyMissing(path: string): UserError {
  return new UserError({
    code: 'secrets-key-missing',
    kind: 'unavailable',
    message: `there is no key at ${path}: configs, secrets and releases of this root cannot be read without it`,
    fix: 'Restore it from a backup, or name it by BASCULE_SECRETS_KEY_FILE; nothing was changed.',
  });
}

function tooShort(path: string): never {
  throw new UserError({
    code: 'secrets-key-short',
    kind: 'invalid',
    message: `the key in ${path} is shorter than ${KEY_BYTES} bytes`,
    fix: `Make one: head -c ${KEY_BYTES} /dev/urandom > FILE`,
  });
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Readable by root alone; after a crash it is there whole, or not at all. */
export function writeDurably(path: string, content: Uint8Array): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    writeAndSync(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

function writeAndSync(path: string, content: Uint8Array): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
