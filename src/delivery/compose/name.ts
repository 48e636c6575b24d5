import { composeError } from './errors.ts';
import { childOf, type MapNode, nodeError, textOf } from './node.ts';
import { baseName } from './paths.ts';
import { fillTemplate, type Lookup } from './template.ts';

const VALID = /^[a-z0-9][a-z0-9_-]*$/;
const FIX = 'Use lower-case letters, digits, "-" and "_", and begin with a letter or a digit.';

export interface NameSource {
  /** `-p` */
  readonly given: string | undefined;
  readonly files: readonly MapNode[];
  readonly directory: string;
  readonly lookup: Lookup;
}

/** The project's name: `-p`, else COMPOSE_PROJECT_NAME, else the last `name:`, else the folder's name made valid. */
export function projectNameOf({ given, files, directory, lookup }: NameSource): string {
  const asked = given ?? (lookup('COMPOSE_PROJECT_NAME') || undefined);
  if (asked !== undefined) {
    if (VALID.test(asked)) return asked;
    throw composeError({ message: `invalid project name "${asked}"`, fix: FIX });
  }
  return nameInFiles(files, lookup) ?? nameOfFolder(directory);
}

function nameInFiles(files: readonly MapNode[], lookup: Lookup): string | undefined {
  const node = files.map((file) => childOf(file, 'name')).findLast((one) => one !== undefined);
  if (node === undefined) return undefined;
  if (node.kind !== 'scalar' || node.type !== 'string') throw nodeError(node, 'name', 'must be a string', FIX);
  const name = fillTemplate(node.value, lookup);
  if (typeof name === 'object') throw nodeError(node, 'name', name.problem, name.fix);
  if (!VALID.test(name))
    throw nodeError(node, 'name', `invalid project name "${textOf({ ...node, value: name })}"`, FIX);
  return name;
}

function nameOfFolder(directory: string): string {
  const name = baseName(directory)
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
  if (name !== '') return name;
  throw composeError({
    message: `no project name can be made of the folder ${directory}`,
    fix: 'Add "name: my-project" to the Compose file, or pass -p.',
  });
}
