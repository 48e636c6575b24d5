import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../../lib/errors.ts';

const MOST_LINKS = 255;

/**
 * Where a path of a root file system is on this host. Links are followed inside the root, never out of it;
 * what does not exist is taken as it is. The caller's `root` must have no foreign writers meanwhile.
 */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  const todo = partsOf(path);
  let done: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '..') done.pop();
    else {
      const target = await linkTarget(join(root, ...done, part));
      if (target === undefined) done.push(part);
      else {
        if (++links > MOST_LINKS) throw Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' });
        if (target.startsWith('/')) done = [];
        todo.unshift(...partsOf(target));
      }
    }
  }
  return join(root, ...done);
}

/** The text of a file of a root file system; empty where there is none. */
export async function readInRoot(root: string, path: string): Promise<string> {
  try {
    return await readFile(await resolveInRoot(root, path), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(systemCodeOf(error) ?? '')) return '';
    throw error;
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (['EINVAL', 'ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}
