import { composeError } from './errors.ts';
import { childOf, type MapNode, nodeError } from './node.ts';
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

/** The project's name: `-p`, else COMPOSE_PROJECT_NAME, else the last `name:`, else the folder's name; these two are made valid. */
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
  return normalised(name);
}

function nameOfFolder(directory: string): string {
  const name = normalised(baseName(directory));
  if (name !== undefined) return name;
  throw composeError({
    message: `no project name can be made of the folder ${directory}`,
    fix: 'Add "name: my-project" to the Compose file, or pass -p.',
  });
}

/** Lower case, without the characters that a name cannot have; undefined when nothing is left. */
function normalised(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
  return name === '' ? undefined : name;
}
