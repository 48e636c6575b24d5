import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { readTextIfThere } from '../../../lib/files.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import { UserError, systemCodeOf } from '../../../lib/errors.ts';
import type { BuildRequest } from '../face.ts';
import { unpackContext } from '../files/archive.ts';
import { parseIgnore } from '../files/ignore.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import type { SourceRoot } from '../files/select.ts';

/** A context that is there as a folder, and the text of its Dockerfile. */
export interface OpenedContext {
  readonly root: SourceRoot;
  readonly isLasting: boolean;
  readonly dockerfileText: string;
}

/** @throws UserError `context-missing`, `context-invalid`, `dockerfile-missing` */
export async function openContext(
  request: BuildRequest,
  o: { temporaryDirectory(): Promise<string>; readonly signal: AbortSignal },
): Promise<OpenedContext> {
  const directory = await directoryOf(request, o);
  const dockerfileText = request.dockerfileText ?? (await readDockerfile(directory, request.dockerfile));
  const ignoreText =
    (await readTextIfThere(await resolveInRoot(directory, `${request.dockerfile}.dockerignore`))) ??
    (await readTextIfThere(await resolveInRoot(directory, '.dockerignore'))) ??
    '';
  return {
    root: { directory, ignore: parseIgnore(ignoreText) },
    isLasting: request.context.kind === 'directory',
    dockerfileText,
  };
}

async function directoryOf(
  { context }: BuildRequest,
  o: { temporaryDirectory(): Promise<string>; readonly signal: AbortSignal },
): Promise<string> {
  if (context.kind === 'tar') {
    const directory = await o.temporaryDirectory();
    await unpackContext(context.stream, directory, o.signal);
    return directory;
  }
  const found = await stat(context.path).catch(() => undefined);
  if (found?.isDirectory() === true) return realpath(context.path);
  throw new UserError({
    code: 'context-missing',
    kind: 'not-found',
    message: `the build context ${context.path} is no folder`,
    fix: 'Name a folder that is there.',
  });
}

async function readDockerfile(directory: string, path: string): Promise<string> {
  try {
    return await readFile(await resolveInRoot(directory, path), 'utf8');
  } catch (cause) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(cause) ?? '')) throw cause;
    const near = nearestWord(path, await readdir(directory).catch(() => []));
    throw new UserError({
      code: 'dockerfile-missing',
      kind: 'not-found',
      message: `Cannot locate specified Dockerfile: ${path}`,
      fix: near === undefined ? 'Make the file, or name another one.' : `Did you mean ${near}?`,
      cause,
    });
  }
}
