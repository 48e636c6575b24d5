import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from './errors.ts';

const MOST_LINKS = 40;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Where a path of a root file system is on this host. Links are followed as a process in it sees them: never out of
 * `root`. Parts that do not exist are kept as they are. With `keepLast` a link at the end is not followed. Nobody else
 * may change links meanwhile.
 */
export async function resolveInRoot(root: string, path: string, keepLast = false): Promise<string> {
  const resolved = await resolveNameInRoot(bytesOf(root), bytesOf(path), keepLast);
  return Buffer.from(resolved, 'latin1').toString();
}

/** Like `resolveInRoot`, for names that need not be UTF-8: each character of a string is one byte ("latin1"). */
export async function resolveNameInRoot(root: string, path: string, keepLast = false): Promise<string> {
  const todo = partsOf(path);
  let done: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '..') {
      done.pop();
      continue;
    }
    const target = keepLast && todo.length === 0 ? undefined : await linkTarget(join(root, ...done, part));
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (++links > MOST_LINKS) throw Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' });
    if (target.startsWith('/')) done = [];
    todo.unshift(...partsOf(target));
  }
  return join(root, ...done);
}

/** The text of a regular file (4 MiB at most) of a root file system, empty where there is none. */
export async function readInRoot(root: string, path: string): Promise<string> {
  return (await readInRootIfThere(root, path)) ?? '';
}

/** The same; undefined where there is none. No link leads out, and no pipe or device is waited for. */
export async function readInRootIfThere(root: string, path: string): Promise<string | undefined> {
  try {
    const file = await open(
      await resolveInRoot(root, path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const stat = await file.stat();
      return stat.isFile() && stat.size <= MOST_BYTES ? await file.readFile('utf8') : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(Buffer.from(path, 'latin1'), 'latin1');
  } catch (error) {
    if (['EINVAL', 'ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}
