import { readFile } from 'node:fs/promises';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import type { FileObject, Project } from '../compose/index.ts';

export interface FileSource {
  /** `configs/<key>` or `secrets/<key>`. */
  readonly key: string;
  readonly project: Project;
  readonly environment: Readonly<Record<string, string>>;
}

/** What a config or a secret holds, wherever the Compose file says that it comes from. */
export async function contentOf({ key, project, environment }: FileSource): Promise<Uint8Array> {
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
