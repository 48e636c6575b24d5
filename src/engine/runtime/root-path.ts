import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../lib/errors.ts';

const MOST_LINKS = 40;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Where a path of a container is on this host. Links are followed as the container sees them: never out of `root`.
 * Parts that do not exist are kept as they are. With `keepLast` a link at the end is not followed.
 */
export async function resolveInRoot(root: string, path: string, keepLast = false): Promise<string> {
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

/** The text of a regular file of a container's root, empty where there is none. */
export async function readInRoot(root: string, path: string): Promise<string> {
  try {
    const file = await open(
      await resolveInRoot(root, path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const stat = await file.stat();
      return stat.isFile() && stat.size <= MOST_BYTES ? await file.readFile('utf8') : '';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCodeOf(error) ?? '')) return '';
    throw error;
  }
}

export type CommandState = 'found' | 'missing' | 'not-executable';

/** Whether a program is there for a process with these variables: why a start failed, without reading messages. */
export async function findCommand(
  root: string,
  o: { readonly program: string; readonly env: readonly string[]; readonly workingDirectory: string },
): Promise<CommandState> {
  let state: CommandState = 'missing';
  for (const path of candidatesOf(o)) {
    const found = await stateOf(await resolveInRoot(root, path));
    if (found === 'found') return 'found';
    if (found === 'not-executable') state = found;
  }
  return state;
}

function candidatesOf(o: { program: string; env: readonly string[]; workingDirectory: string }): readonly string[] {
  if (o.program.startsWith('/')) return [o.program];
  if (o.program.includes('/')) return [join('/', o.workingDirectory, o.program)];
  const path =
    o.env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '/usr/local/bin:/usr/bin:/bin';
  return path.split(':').map((directory) => join('/', directory, o.program));
}

async function stateOf(path: string): Promise<CommandState> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return 'missing';
  return stat.isFile() && (stat.mode & 0o111) !== 0 ? 'found' : 'not-executable';
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
