import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { relative } from 'node:path';
import { systemCodeOf, UserError } from '../../lib/errors.ts';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;

/**
 * Opens a folder below a root part by part, following no link: a container that puts one into the way meanwhile leads
 * nowhere. Undefined where there is no such folder.
 * @param directory as `resolveInRoot` gives it: below the root, without links
 */
export async function openBelow(root: string, directory: string): Promise<FileHandle | undefined> {
  let folder = await openFolder(root, FOLDER); // a running container's root is itself a link
  for (const part of relative(root, directory).split('/')) {
    if (folder === undefined || part === '') break;
    const parent = folder;
    folder = await openFolder(`/proc/self/fd/${parent.fd}/${part}`, FOLDER | constants.O_NOFOLLOW);
    await parent.close();
  }
  return folder;
}

async function openFolder(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Why a path cannot be copied into: in Docker's words where something else is there. */
export async function noFolder(path: string, missing: UserError): Promise<UserError> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return missing;
  return new UserError({
    code: 'path-not-folder',
    kind: 'invalid',
    message: 'extraction point is not a directory',
    fix: 'Copy into the folder that the file is in.',
  });
}
