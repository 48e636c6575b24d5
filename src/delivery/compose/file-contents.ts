import { composeError } from './errors.ts';
import { type ProjectSource, variablesOf } from './load.ts';
import type { FileObject, Project } from './project.ts';

/** Texts by key of `Project.configs` and `Project.secrets`. Secrets: never log them. */
export interface FileContents {
  readonly configs: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * What the configs and secrets of a project hold, from where the project was loaded. External ones are left out.
 * Throws `compose-invalid` for a file that is not there and a variable that is not set.
 */
export function fileContents(
  project: Project,
  source: Pick<ProjectSource, 'environment' | 'directory' | 'readText'>,
): FileContents {
  const lookup = variablesOf(source);
  const read = (kind: string, objects: Readonly<Record<string, FileObject>>) =>
    Object.fromEntries(
      Object.entries(objects)
        .filter(([, object]) => object.external !== true)
        .map(([name, object]) => [
          name,
          contentOf(`${kind}.${name}`, object, { lookup, readText: (path) => source.readText(path) }),
        ]),
    );
  return { configs: read('configs', project.configs), secrets: read('secrets', project.secrets) };
}

interface Origins {
  readonly lookup: (name: string) => string | undefined;
  readonly readText: (path: string) => string | undefined;
}

function contentOf(path: string, object: FileObject, { lookup, readText }: Origins): string {
  if (object.content !== undefined) return object.content;
  const { environment, file = '' } = object;
  const content = environment === undefined ? readText(file) : lookup(environment);
  if (content !== undefined) return content;
  if (environment === undefined)
    throw composeError({ path, message: `there is no file ${file}`, fix: 'Create it, or correct the path.' });
  throw composeError({
    path,
    message: `the variable ${environment} is not set`,
    fix: `Set ${environment} in the environment or in .env.`,
  });
}
