import type { Stats } from 'node:fs';
import { lstat, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { systemCodeOf } from '../../../lib/errors.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';

const MOUNTED_BY_RUNTIME = ['/proc', '/sys', '/dev', '/etc/hosts', '/etc/resolv.conf'];

/** Mount points that the runtime has to make in a root file system; they are no result of the step. */
export interface Stubs {
  /** Takes them out of the upper folder, once nobody uses the root any more. */
  removeFrom(upper: string): Promise<void>;
}

interface Folder {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Looks, before the step runs, which mount points are missing. */
export async function findStubs(root: string, mountTargets: readonly string[]): Promise<Stubs> {
  const missing = new Set<string>();
  const parents = new Map<string, Folder>();
  for (const target of [...MOUNTED_BY_RUNTIME, ...mountTargets]) {
    let at = relative(root, await resolveInRoot(root, target));
    for (; at !== '' && at !== '.'; at = dirname(at)) {
      const stat = await statOf(join(root, at));
      if (stat === undefined) missing.add(at);
      else {
        if (missing.size > 0 && stat.isDirectory())
          parents.set(at, { path: at, mode: stat.mode, uid: stat.uid, gid: stat.gid });
        break;
      }
    }
  }
  const deepestFirst = [...missing].toSorted((a, b) => b.length - a.length);
  return {
    async removeFrom(upper) {
      for (const path of deepestFirst) await removeIfUntouched(join(upper, path));
      for (const folder of parents.values()) await removeCopiedUp(upper, folder);
    },
  };
}

async function removeIfUntouched(path: string): Promise<void> {
  const stat = await statOf(path);
  if (stat?.isDirectory() === true) await removeEmpty(path);
  else if (stat?.isFile() === true && stat.size === 0) await rm(path);
}

/** A folder that is in the upper one only because a mount point was made in it. */
async function removeCopiedUp(upper: string, folder: Folder): Promise<void> {
  const path = join(upper, folder.path);
  const stat = await statOf(path);
  if (stat === undefined || !stat.isDirectory()) return;
  if (stat.mode === folder.mode && stat.uid === folder.uid && stat.gid === folder.gid) await removeEmpty(path);
}

async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOTEMPTY') throw error;
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}
