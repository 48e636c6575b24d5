import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { syncDirectory } from '../../../lib/files.ts';
import { runOrThrow } from '../../../lib/process.ts';
import type { Layer } from '../../image/index.ts';
import type { Session } from '../execute/session.ts';
import type { BuildOutput } from '../face.ts';
import { renameSynced, syncFile } from './layout.ts';
import { giveTo, makeFolder } from './owner.ts';

interface Files {
  readonly output: Extract<BuildOutput, { readonly kind: 'local' | 'tar' }>;
  readonly layers: readonly Layer[];
}

/** The files of the target stage, as a process in it sees them. */
export async function writeFiles(session: Session, { output, layers }: Files): Promise<void> {
  await using root = await session.workshop.mounts.root(layers.map(({ directory }) => directory));
  await makeFolder(dirname(output.path), output.owner);
  if (output.kind === 'local') await requireFolderOrNothing(output.path);
  const place = await realpath(output.path).catch(() => output.path);
  await using temporary = await session.workshop.unfinished.beside(place);
  if (output.kind === 'tar') {
    await archiveFiles(root.path, temporary.path, session.signal);
    await giveTo(temporary.path, output.owner);
    await renameSynced(temporary.path, place);
    return;
  }
  await copyFiles(root.path, temporary.path, session.signal);
  await giveTo(temporary.path, output.owner);
  await runOrThrow(['sync', '--file-system', temporary.path]);
  await mergeInto(Buffer.from(temporary.path), Buffer.from(place));
  await syncDirectory(place);
}

async function archiveFiles(root: string, path: string, signal: AbortSignal): Promise<void> {
  const names = (await readdir(root, { encoding: 'buffer' })).toSorted(Buffer.compare);
  const input = Buffer.concat(names.flatMap((name) => [name, Buffer.from([0])]));
  const how = ['--format=posix', '--pax-option=delete=atime,delete=ctime', '--sort=name', '--numeric-owner'];
  const what = ['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*'];
  const argv = ['tar', '--create', `--file=${path}`, ...how, ...what, `--directory=${root}`, '--null', '--verbatim-files-from', '--files-from=-']; // prettier-ignore
  await runOrThrow(argv as [string, ...string[]], { input, signal });
  await syncFile(path);
}

async function copyFiles(root: string, directory: string, signal: AbortSignal): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  await runOrThrow(['cp', '--archive', '--no-target-directory', '--', root, directory], { signal });
}

/**
 * Moves what is in one place to another, file by file: each is there whole, the old or the new one. Folders that are
 * there keep what the new ones do not have; a folder that stands where a file belongs goes.
 */
async function mergeInto(from: Buffer, to: Buffer): Promise<void> {
  const [source, target] = [await lstat(from), await lstatIfThere(to)];
  if (target?.isDirectory() === true && source.isDirectory()) {
    for (const name of await readdir(from, { encoding: 'buffer' })) await mergeInto(below(from, name), below(to, name));
    return;
  }
  if (target !== undefined && target.isDirectory() !== source.isDirectory()) await rm(to, { recursive: true });
  await rename(from, to);
}

/** Names are bytes: one that is no UTF-8 stays what it is. */
function below(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

async function lstatIfThere(path: Buffer | string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function requireFolderOrNothing(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return;
  throw new UserError({
    code: 'output-no-folder',
    kind: 'conflict',
    message: `the output ${path} is there and is no folder`,
    fix: 'Name a folder, or a new one; --output type=tar,dest=FILE writes an archive.',
  });
}
