import { readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { readTextIfThere } from '../../../lib/files.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import { readInRoot, readInRootIfThere, resolveInRoot } from '../../../lib/root-path.ts';
import type { BuildContext, BuildRequest } from '../face.ts';
import { unpackContext } from '../files/archive.ts';
import { parseIgnore } from '../files/ignore.ts';
import type { SourceRoot } from '../files/select.ts';
import { looksLikeArchive, withHead } from './archive-head.ts';
import type { Fetching } from './fetching.ts';
import { fetchRemote } from './remote-context.ts';

/** A context that is there as a folder, and the text of its Dockerfile. */
export interface OpenedContext {
  readonly root: SourceRoot;
  readonly isLasting: boolean;
  readonly dockerfileText: string;
}

/** @throws UserError `context-missing`, `context-invalid`, `dockerfile-missing`, and those of `fetchRemote` */
export async function openContext(request: BuildRequest, o: Fetching): Promise<OpenedContext> {
  const { directory, isLasting } = await openFiles(request.context, o, request.dockerfile);
  const dockerfileText = request.dockerfileText ?? (await dockerfileOf(request, directory));
  return {
    root: { directory, ignore: parseIgnore(await ignoreTextOf(request, directory)) },
    isLasting,
    dockerfileText,
  };
}

/**
 * The folder that a context is, or is unpacked to.
 * @param dockerfile what a stream or URL that is no archive, but a Dockerfile alone, is called in it
 */
export async function openFiles(
  context: BuildContext,
  o: Fetching,
  dockerfile = 'Dockerfile',
): Promise<{ readonly directory: string; readonly isLasting: boolean }> {
  switch (context.kind) {
    case 'directory':
      return { directory: await folderOf(context.path), isLasting: true };
    case 'tar':
      return { directory: await unpackStream(context.stream, o, dockerfile), isLasting: false };
    case 'remote': {
      const fetched = await fetchRemote(context.url, o);
      if (fetched.kind === 'directory') return { directory: fetched.path, isLasting: false };
      return { directory: await unpackStream(fetched.stream, o, dockerfile), isLasting: false };
    }
  }
}

async function unpackStream(stream: Readable, o: Fetching, dockerfile: string): Promise<string> {
  const directory = await o.temporaryDirectory();
  const { head, whole } = await withHead(stream);
  if (head.length === 0 || looksLikeArchive(head)) await unpackContext(whole, directory, o.signal);
  else await writeFile(join(directory, dockerfile.replaceAll('/', '_')), whole);
  return directory;
}

async function folderOf(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) {
      await readdir(path);
      return await realpath(path);
    }
  } catch (cause) {
    if (['EACCES', 'EPERM', 'ESTALE', 'EIO'].includes(systemCodeOf(cause) ?? '')) throw unreadable(path, cause);
  }
  throw new UserError({
    code: 'context-missing',
    kind: 'not-found',
    message: `the build context ${path} is no folder`,
    fix: 'Name a folder that is there.',
  });
}

function unreadable(path: string, cause: unknown): UserError {
  return new UserError({
    code: 'context-unreadable',
    kind: 'denied',
    message: `the daemon may not read the build context ${path}`,
    fix: 'Send it as an archive: tar -c . | bascule image build -',
    cause,
  });
}

async function dockerfileOf({ dockerfile, dockerfilePath }: BuildRequest, directory: string): Promise<string> {
  if (dockerfilePath !== undefined) return readDockerfile(dockerfilePath);
  const text = await readInRootIfThere(directory, dockerfile);
  if (text === undefined) throw await dockerfileMissing(dockerfile, directory);
  return text;
}

async function readDockerfile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(cause) ?? '')) throw cause;
    throw await dockerfileMissing(path, join(path, '..'));
  }
}

async function dockerfileMissing(name: string, directory: string): Promise<UserError> {
  const near = nearestWord(name, await readdir(directory).catch(() => []));
  return new UserError({
    code: 'dockerfile-missing',
    kind: 'not-found',
    message: `Cannot locate specified Dockerfile: ${name}`,
    fix: near === undefined ? 'Make the file, or name another one.' : `Did you mean ${near}?`,
  });
}

/** That of the Dockerfile goes before that of the context (Dockerfile reference: .dockerignore file). */
async function ignoreTextOf({ dockerfile, dockerfilePath }: BuildRequest, directory: string): Promise<string> {
  const own =
    dockerfilePath === undefined
      ? await readInRootIfThere(
          directory,
          `${relative(directory, await resolveInRoot(directory, dockerfile))}.dockerignore`,
        )
      : await readTextIfThere(`${dockerfilePath}.dockerignore`);
  return own ?? (await readInRoot(directory, '.dockerignore'));
}
