import { lstatSync, rmdirSync, rmSync, type Stats } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { systemCodeOf } from '../../../lib/errors.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';

const MOUNTED_BY_RUNTIME = ['/proc', '/sys', '/dev', '/etc/hosts', '/etc/resolv.conf'];

/** Mount points that the runtime has to make in a root file system; they are no result of the step. */
export interface Stubs {
  /** Takes them out of the upper folder, once nobody uses the root any more. */
  removeFrom(upper: string): void;
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
    let at = isPlain(root, target) ? target.slice(1) : relative(root, await resolveInRoot(root, target));
    for (; at !== '' && at !== '.'; at = dirname(at)) {
      const stat = statOf(join(root, at));
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
    removeFrom(upper) {
      // the step may have put links in the place of its folders, which lead anywhere on this machine
      const isThere = (path: string): boolean => isPlain(upper, `/${path}`);
      for (const path of deepestFirst) if (isThere(path)) removeIfUntouched(join(upper, path));
      for (const folder of parents.values()) if (isThere(folder.path)) removeCopiedUp(upper, folder);
    },
  };
}

/** No link and no `..` on the way: the path is what it says. */
function isPlain(root: string, target: string): boolean {
  const parts = target.split('/').slice(1);
  if (!target.startsWith('/') || parts.some((part) => ['', '.', '..'].includes(part))) return false;
  return parts.every((_, index) => statOf(join(root, ...parts.slice(0, index + 1)))?.isSymbolicLink() !== true);
}

function removeIfUntouched(path: string): void {
  const stat = statOf(path);
  if (stat?.isDirectory() === true) removeEmpty(path);
  else if (stat?.isFile() === true && stat.size === 0) rmSync(path);
}

/** A folder that is in the upper one only because a mount point was made in it. */
function removeCopiedUp(upper: string, folder: Folder): void {
  const path = join(upper, folder.path);
  const stat = statOf(path);
  if (stat === undefined || !stat.isDirectory()) return;
  if (stat.mode === folder.mode && stat.uid === folder.uid && stat.gid === folder.gid) removeEmpty(path);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOTEMPTY') throw error;
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
