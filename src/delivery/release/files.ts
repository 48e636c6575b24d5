import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { access, chmod, chown, copyFile, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import { syncDirectory, writeFileAtomic } from '../../lib/files.ts';
import type { FileObject, Project } from '../compose/index.ts';
import { filesOf } from './identity.ts';
import type { FileVersion } from './release.ts';

/** How one instance sees a config or a secret. */
export interface FilePlacement {
  readonly version: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, e.g. 0o444. */
  readonly mode: number;
}

/** Contents of configs and secrets by version, in a folder that only root may enter. Not encrypted yet. */
export interface FileStore {
  /** Reads and keeps every config and secret that the project's services use; gives their versions by key. */
  keep(project: Project, environment: Readonly<Record<string, string>>): Promise<Record<string, FileVersion>>;
  /** Makes the file that is mounted into instances; it may be there already. */
  place(placement: FilePlacement): Promise<void>;
  /** Where `place` puts it. */
  pathOf(placement: FilePlacement): string;
}

/** @param o.directory `<root>/delivery`; `secrets/` (contents) and `mounted/` (as instances see them) lie beneath it */
export function openFileStore(o: { readonly directory: string }): FileStore {
  const contents = join(o.directory, 'secrets');
  const mounted = join(o.directory, 'mounted');
  for (const folder of [contents, mounted]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  const pathOf = (placement: FilePlacement): string => join(mounted, placedFileName(placement));
  return {
    pathOf,
    keep: async (project, environment) => {
      const versions: Record<string, FileVersion> = {};
      for (const key of usedFiles(project)) versions[key] = await keep(contents, { key, project, environment });
      return versions;
    },
    place: (placement) => place(join(contents, placement.version), pathOf(placement), placement),
  };
}

/** The name of a placed file: the same content with the same owner and mode is one file. */
function placedFileName({ version, uid, gid, mode }: FilePlacement): string {
  return `${version}-${uid}-${gid}-${mode.toString(8)}`;
}

function usedFiles(project: Project): readonly string[] {
  return [...new Set(Object.values(project.services).flatMap((service) => filesOf(service)))].sort();
}

interface FileSource {
  readonly key: string;
  readonly project: Project;
  readonly environment: Readonly<Record<string, string>>;
}

async function keep(directory: string, source: FileSource): Promise<FileVersion> {
  const kind = source.key.startsWith('secrets/') ? 'secret' : 'config';
  const content = await contentOf(source);
  const version = createHash('sha256').update(content).digest('hex');
  await writeFileAtomic(join(directory, version), content, 0o600);
  return { version, kind };
}

async function contentOf({ key, project, environment }: FileSource): Promise<Uint8Array> {
  const [kind, name] = key.split('/', 2) as ['configs' | 'secrets', string];
  const object: FileObject = project[kind][name] ?? {};
  if (object.content !== undefined) return Buffer.from(object.content);
  if (object.environment !== undefined) return Buffer.from(environment[object.environment] ?? noVariable(key, object));
  if (object.file !== undefined) return await readSource(key, object.file);
  throw new UserError({
    code: 'file-external',
    kind: 'unsupported',
    message: `${key.replace('/', '.')}: external configs and secrets are not supported yet`,
    fix: 'Give it as `file:`, `environment:` or `content:`.',
  });
}

async function readSource(key: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UserError({
      code: 'file-unreadable',
      kind: 'invalid',
      message: `${key.replace('/', '.')}: cannot read ${path} (${systemCodeOf(cause) ?? 'unknown'})`,
      fix: 'Create the file, or correct the path in the Compose file.',
      cause,
    });
  }
}

function noVariable(key: string, object: FileObject): never {
  throw new UserError({
    code: 'file-variable-missing',
    kind: 'invalid',
    message: `${key.replace('/', '.')}: the environment variable ${object.environment} is not set`,
    fix: `Set ${object.environment} before you deploy.`,
  });
}

async function place(content: string, target: string, { uid, gid, mode }: FilePlacement): Promise<void> {
  if (await exists(target)) return;
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await copyFile(content, temporary);
    await chown(temporary, uid, gid);
    await chmod(temporary, mode);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(join(target, '..'));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
