import { randomBytes } from 'node:crypto';
import { createHmac } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { compare, hash } from 'bcryptjs';
import { UserError } from '../../../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../../../lib/files.ts';
import { Turns } from '../turns.ts';

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

/** Passwords of an htpasswd file, which is read again when it changes. */
export interface PasswordFile {
  isRight(user: string, password: string): Promise<boolean>;
}

/**
 * Verifying takes tens of milliseconds of this process, on purpose: one at a time, and what was found right is remembered
 * (under a key that nobody has) as long as the line in the file is the same.
 */
export function openPasswordFile(path: string): PasswordFile {
  const key = randomBytes(32);
  const right = new Map<string, true>();
  const turns = new Turns();
  let read: { readonly version: string; readonly users: Users } | undefined;
  const usersNow = async (): Promise<Users> => {
    const { mtimeMs, size, ino } = await stat(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (read?.version !== version)
      read = { version, users: parsePasswordFile((await readTextIfThere(path)) ?? '', path) };
    return read.users;
  };
  return {
    async isRight(user, password) {
      const line = (await usersNow()).get(user);
      const name = createHmac('sha256', key)
        .update(JSON.stringify([user, password, line]))
        .digest('base64');
      if (right.has(name)) return true;
      const isRight = await turns.take('', () => compare(password, line ?? NOBODY));
      if (!isRight || line === undefined) return false;
      if (right.size >= REMEMBERED) right.delete(right.keys().next().value ?? '');
      right.set(name, true);
      return true;
    },
  };
}

/** Takes as long to compare as any other: who asks does not learn which users there are. */
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
