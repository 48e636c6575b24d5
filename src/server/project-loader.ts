import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertSupported, findComposeFile, loadProject, parseDotenv, type Project } from '../delivery/compose/index.ts';
import { systemCodeOf, UserError } from '../lib/errors.ts';
import type { z } from 'zod';
import type { ProjectSourceSchema } from './wire.ts';

type Source = z.output<typeof ProjectSourceSchema>;

/**
 * Reads a Compose project from this machine's disk and checks that it can be run.
 * @throws UserError of delivery/compose, or `compose-file-missing`, `file-unreadable`
 */
export function readProject(source: Source): Project {
  const project = parseProject(source);
  assertSupported(project);
  return project;
}

/** Like `readProject`, without asking whether it can be run. */
export function parseProject(source: Source): Project {
  const { projectName } = source;
  return loadProject({
    directory: source.directory,
    files: composeFilesOf(source).map((path) => ({ path, text: readText(path) ?? throwMissing(path) })),
    environment: environmentOf(source),
    profiles: source.profiles,
    readText,
    ...(projectName === undefined ? {} : { projectName }),
  });
}

/**
 * The name of the project, even when its file is broken: an emergency rollback must not fail for that.
 * @param known projects that have releases
 */
export function projectNameOf(source: Source, known: readonly string[]): string {
  if (source.projectName !== undefined) return source.projectName;
  try {
    return parseProject(source).name;
  } catch (error) {
    const folder = (source.directory.split('/').pop() ?? '').toLowerCase().replace(/[^a-z0-9_-]/g, '');
    if (known.includes(folder)) return folder;
    throw error;
  }
}

function composeFilesOf(source: Source): readonly string[] {
  if (source.files.length > 0) return source.files;
  const found = findComposeFile(namesIn(source.directory));
  if (found.length > 0) return found.map((name) => join(source.directory, name));
  throw new UserError({
    code: 'compose-file-missing',
    kind: 'not-found',
    message: `no compose.yaml in ${source.directory}`,
    fix: 'Change to the folder of your project, or name the file with --file. docs/compose.md shows a first one.',
  });
}

/** Explicit env files are laid under the caller's environment; `.env` itself is read by the loader. */
function environmentOf(source: Source): Record<string, string> {
  return { ...valuesOf(source.envFiles, source.environment), ...source.environment };
}

/** Every variable that a project sees: the caller's environment over its env files, or over `.env`. */
export function variablesOf(source: Source): Record<string, string> {
  if (source.envFiles.length > 0) return environmentOf(source);
  const dotenv = join(source.directory, '.env');
  const files = readText(dotenv) === undefined ? [] : [dotenv];
  return { ...valuesOf(files, source.environment), ...source.environment };
}

function valuesOf(paths: readonly string[], environment: Readonly<Record<string, string>>): Record<string, string> {
  const lookup = (name: string): string | undefined => environment[name];
  return Object.assign(
    {},
    ...paths.map((path) => parseDotenv(readText(path) ?? throwMissing(path), { path, lookup })),
  ) as Record<string, string>;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new UserError({
      code: 'file-unreadable',
      kind: 'invalid',
      message: `cannot read the folder ${directory} (${systemCodeOf(cause) ?? 'unknown error'})`,
      fix: "Name the project's folder with --project-directory.",
      cause,
    });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = systemCodeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new UserError({
      code: 'file-unreadable',
      kind: 'invalid',
      message: `cannot read ${path} (${code ?? 'unknown error'})`,
      fix: code === 'EISDIR' ? 'Name a file, not a folder.' : 'Check that the file can be read by root.',
      cause,
    });
  }
}

function throwMissing(path: string): never {
  throw new UserError({
    code: 'compose-file-missing',
    kind: 'not-found',
    message: `there is no file ${path}`,
    fix: 'Check the name given with --file or --env-file; it is taken relative to the folder you are in.',
  });
}
