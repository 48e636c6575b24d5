import { UserError } from '../../../lib/errors.ts';
import { readInRoot } from '../../../lib/root-path.ts';

/**
 * Numbers of `user[:group]` by the files of a root file system; a user without a group gives both the user's
 * (Dockerfile reference: COPY --chown).
 * @throws UserError `owner-unknown`
 */
export async function resolveOwner(
  root: string,
  text: string,
): Promise<{ readonly uid: number; readonly gid: number }> {
  const [user = '', group] = text.split(':');
  const [passwd, groups] = await Promise.all([readInRoot(root, '/etc/passwd'), readInRoot(root, '/etc/group')]);
  const row = rowsOf(passwd).find(([name, , uid]) => name === user || (isNumber(user) && uid === user));
  const uid = isNumber(user) ? Number(user) : user === '' ? 0 : Number(row?.[2]);
  if (Number.isNaN(uid)) throw unknown('user', user, '/etc/passwd');
  if (group === undefined || group === '') return { uid, gid: isNumber(user) ? uid : Number(row?.[3] ?? 0) };
  const gid = isNumber(group) ? Number(group) : Number(rowsOf(groups).find(([name]) => name === group)?.[2]);
  if (Number.isNaN(gid)) throw unknown('group', group, '/etc/group');
  return { uid, gid };
}

/** Whether the files of the image are needed to know the numbers. */
export function namesOwner(text: string): boolean {
  return !/^\d*(?::\d*)?$/.test(text);
}

function rowsOf(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.split(':'));
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function unknown(what: string, name: string, file: string): UserError {
  return new UserError({
    code: 'owner-unknown',
    kind: 'invalid',
    message: `the ${what} "${name}" is not in the image's ${file}`,
    fix: `Make it in a RUN step before, or give its number.`,
  });
}
