import { invalidContainer } from './errors.ts';
import type { OciUser } from './oci.ts';

export interface UserFiles {
  /** Text of the image's /etc/passwd; empty where there is none. */
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser extends OciUser {
  readonly home: string;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Who a process runs as, by Docker's rules: `user[:group]`, names or numbers; a number need not be in the files;
 * supplementary groups are those that list the user, unless a group is given.
 * @throws UserError `container-invalid` for a name that the image does not have
 */
export function resolveUser(user: string, groupAdd: readonly string[], files: UserFiles): ResolvedUser {
  const accounts = parsePasswd(files.passwd);
  const groups = parseGroup(files.group);
  const [userPart, groupPart] = splitUser(user);
  const account = findAccount(userPart === '' ? '0' : userPart, accounts);
  const gid = groupPart ? gidOf(groupPart, groups) : account.gid;
  const listed = groupPart ? [] : groups.filter((group) => group.members.includes(account.name));
  const added = groupAdd.map((group) => gidOf(group, groups));
  const additional = new Set([gid, ...listed.map((group) => group.gid), ...added]);
  return { uid: account.uid, gid, additionalGids: [...additional], home: account.home };
}

function splitUser(user: string): readonly [string, string | undefined] {
  const colon = user.indexOf(':');
  return colon < 0 ? [user, undefined] : [user.slice(0, colon), user.slice(colon + 1)];
}

function findAccount(user: string, accounts: readonly Account[]): Account {
  const named = accounts.find((account) => account.name === user);
  if (named !== undefined) return named;
  const uid = idOf(user);
  if (uid === undefined) {
    throw invalidContainer(
      `unable to find user ${user}: no matching entries in passwd file`,
      'Name a user that the image has in /etc/passwd, or give its number.',
    );
  }
  return accounts.find((account) => account.uid === uid) ?? { name: '', uid, gid: 0, home: '/' };
}

function gidOf(group: string, groups: readonly Group[]): number {
  const gid = groups.find((candidate) => candidate.name === group)?.gid ?? idOf(group);
  if (gid !== undefined) return gid;
  throw invalidContainer(
    `unable to find group ${group}: no matching entries in group file`,
    'Name a group that the image has in /etc/group, or give its number.',
  );
}

function parsePasswd(text: string): readonly Account[] {
  return rowsOf(text).flatMap(([name = '', , uidText = '', gidText = '', , home = '']) => {
    const [uid, gid] = [idOf(uidText), idOf(gidText)];
    return uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home: home === '' ? '/' : home }];
  });
}

function parseGroup(text: string): readonly Group[] {
  return rowsOf(text).flatMap(([name = '', , gidText = '', members = '']) => {
    const gid = idOf(gidText);
    return gid === undefined ? [] : [{ name, gid, members: members.split(',').filter((member) => member !== '') }];
  });
}

function rowsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function idOf(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= 0x7fffffff ? id : undefined;
}
