import { createHmac, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { compare, hash } from 'bcryptjs';
import { UserError } from '../../../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../../../lib/files.ts';
import { refusal } from '../errors.ts';
import { Turns } from '../turns.ts';
import { LoginAttempts } from './attempts.ts';

const COST = 10;
/** bcrypt looks at no more bytes than these. */
const PASSWORD_LIMIT_BYTES = 72;
const HASH = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
const USER_NAME = /^[A-Za-z0-9_][A-Za-z0-9._@-]{0,127}$/;
const REMEMBERED = 1_000;

/** The lines `user:hash` of an htpasswd file. */
type Users = ReadonlyMap<string, string>;

/** @throws UserError `registry-users-invalid` for a line that is none, or a hash that is not bcrypt's */
function parsePasswordFile(text: string, path: string): Users {
  const users = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const colon = trimmed.indexOf(':');
    const found = trimmed.slice(colon + 1);
    if (colon < 1 || !HASH.test(found)) throw wrongLine(path, index + 1);
    users.set(trimmed.slice(0, colon), found);
  }
  return users;
}

/** A password as somebody shows it. */
export interface ShownPassword {
  readonly user: string;
  readonly password: string;
  /** The address that it comes from. */
  readonly from: string | undefined;
}

/** Passwords of an htpasswd file, which is read again when it changes. */
export interface PasswordFile {
  /** @throws RegistryError `TOOMANYREQUESTS` after many wrong ones */
  isRight(shown: ShownPassword): Promise<boolean>;
}

/** More do not wait for their turn. */
const MOST_WAITING = 512;

/**
 * Verifying takes tens of milliseconds of this process, on purpose: one at a time, not too often for passwords that are
 * wrong, and what was found right is remembered (under a key that nobody has) as long as the line in the file is the same.
 */
export function openPasswordFile(path: string, now = Date.now): PasswordFile {
  const key = randomBytes(32);
  const right = new Map<string, true>();
  const running = new Map<string, Promise<boolean>>();
  const attempts = new LoginAttempts(now);
  const turns = new Turns();
  let read: { readonly version: string; readonly users: Users } | undefined;
  const usersNow = async (): Promise<Users> => {
    const { mtimeMs, size, ino } = await stat(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (read?.version !== version)
      read = { version, users: parsePasswordFile((await readTextIfThere(path)) ?? '', path) };
    return read.users;
  };
  const verify = async ({ user, password, from }: ShownPassword, line: string | undefined): Promise<boolean> => {
    const attempt = attempts.begin({ user, from });
    if (typeof attempt === 'number') throw tooMany(attempt);
    if (running.size > MOST_WAITING) throw tooMany(1);
    // Who asks does not learn which users there are: a name that is none takes as long as one that is.
    const isEqual = await turns.take('', () => compare(password, line ?? anyHash(read?.users)));
    const isRight = isEqual && line !== undefined;
    if (isRight) attempt.forget();
    return isRight;
  };
  return {
    async isRight(shown) {
      const { user, password, from } = shown;
      const line = (await usersNow()).get(user);
      const nameOf = (...more: readonly unknown[]): string =>
        createHmac('sha256', key)
          .update(JSON.stringify([user, password, line, ...more]))
          .digest('base64');
      const name = nameOf();
      if (right.has(name)) return true;
      // many requests of one client begin at once: one of them is enough
      const attemptName = nameOf(from);
      const asked = running.get(attemptName) ?? verify(shown, line).finally(() => running.delete(attemptName));
      running.set(attemptName, asked);
      if (!(await asked)) return false;
      if (right.size >= REMEMBERED) right.delete(right.keys().next().value ?? '');
      right.set(name, true);
      return true;
    },
  };
}

function anyHash(users: Users | undefined): string {
  return users?.values().next().value ?? NOBODY;
}

function tooMany(seconds: number): Error {
  return refusal('TOOMANYREQUESTS', {
    message: `too many logins failed: try again in ${seconds} s`,
    headers: { 'retry-after': String(seconds) },
  });
}

/** Where there are no users at all. */
const NOBODY = '$2b$10$C6UzMDM.H6dfI/f/IKcEeO7ZbCkVZ0nXhY1rOZ0hFZ5o7xY5b9k1W';

/** Adds a user, or changes the password. @throws UserError `registry-user-invalid`, `registry-password-invalid` */
export async function setPassword(
  path: string,
  o: { readonly user: string; readonly password: string },
): Promise<void> {
  if (!USER_NAME.test(o.user) || o.user === 'anonymous') throw wrongUser(o.user);
  const bytes = Buffer.byteLength(o.password);
  if (bytes === 0 || bytes > PASSWORD_LIMIT_BYTES) throw wrongPassword(bytes);
  const users = new Map(parsePasswordFile((await readTextIfThere(path)) ?? '', path));
  users.set(o.user, await hash(o.password, COST));
  await write(path, users);
}

/** False where there is no such user. */
export async function removeUser(path: string, user: string): Promise<boolean> {
  const users = new Map(parsePasswordFile((await readTextIfThere(path)) ?? '', path));
  if (!users.delete(user)) return false;
  await write(path, users);
  return true;
}

/** Sorted. */
export async function userNames(path: string): Promise<readonly string[]> {
  return [...parsePasswordFile((await readTextIfThere(path)) ?? '', path).keys()].sort();
}

async function write(path: string, users: Users): Promise<void> {
  const lines = [...users].map(([user, found]) => `${user}:${found}\n`);
  await writeFileAtomic(path, lines.join(''), 0o600);
}

function wrongLine(path: string, line: number): UserError {
  return new UserError({
    code: 'registry-users-invalid',
    kind: 'invalid',
    message: `${path}:${line}: that is no line USER:HASH with a hash of bcrypt`,
    fix: 'Write it with `bascule registry user add`, or with `htpasswd -B`.',
  });
}

function wrongUser(user: string): UserError {
  return new UserError({
    code: 'registry-user-invalid',
    kind: 'invalid',
    message: `"${user}" is no name for a user of the registry`,
    fix: 'Letters, digits and `._@-`, at most 128; `anonymous` is nobody.',
  });
}

function wrongPassword(bytes: number): UserError {
  return new UserError({
    code: 'registry-password-invalid',
    kind: 'invalid',
    message: bytes === 0 ? 'the password is empty' : `the password has ${bytes} bytes`,
    fix: `bcrypt looks at the first ${PASSWORD_LIMIT_BYTES} bytes only: choose one of 1 to ${PASSWORD_LIMIT_BYTES} bytes.`,
  });
}
