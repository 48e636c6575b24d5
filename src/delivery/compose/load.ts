import { checkDraft } from './check.ts';
import { checkSettings } from './check-settings.ts';
import { parseFile, type TreeContext } from './context.ts';
import { parseDotenv } from './dotenv.ts';
import { type Draft, failIn } from './draft.ts';
import { dropDirectives } from './merge.ts';
import { projectNameOf } from './name.ts';
import type { Project } from './project.ts';
import { resolveProject } from './resolve.ts';
import { composeFile } from './schema.ts';
import { type Lookup, lookupIn } from './template.ts';
import { loadTree } from './tree.ts';

export interface ProjectSource {
  /** The Compose files in merge order, paths absolute. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The project directory: relative paths are resolved against it. */
  readonly directory: string;
  /** `-p`; overrides `name:` and COMPOSE_PROJECT_NAME. */
  readonly projectName?: string;
  /** The caller's environment; `.env` of the directory is read beneath it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  /** Text of an absolute path; undefined where there is no such file. */
  readText(path: string): string | undefined;
}

/**
 * Parses, merges, interpolates, validates and normalises Compose files.
 * Throws UserError `compose-invalid` (what is wrong, with file:line:column and path).
 * Says nothing about what can be run: see `assertSupported`.
 */
export function loadProject(source: ProjectSource): Project {
  const { directory, readText } = source;
  const unset = new Set<string>();
  const variables = variablesOf(source);
  const base: TreeContext = {
    directory,
    root: directory,
    lookup: variables,
    onUnset: (name) => unset.add(name),
    readText: (path) => readText(path),
    included: [],
  };
  const files = source.files.map(({ path, text }) => parseFile(path, text, base));
  const documents = files.flatMap((file) => file.documents);
  const name = projectNameOf({ given: source.projectName, files: documents, directory, lookup: variables });
  const lookup: Lookup = (key) => (key === 'COMPOSE_PROJECT_NAME' ? name : variables(key));
  const root = dropDirectives(loadTree(files, { ...base, lookup }));
  const draft = composeFile.read(root, '', { home: variables('HOME') }) as Draft;
  const fail = failIn(root);
  checkDraft(draft, fail);
  const profiles = [...source.profiles, ...(variables('COMPOSE_PROFILES') ?? '').split(',')].filter(
    (one) => one !== '',
  );
  const project = resolveProject(draft, { name, directory, profiles, root, lookup, fail, readText: base.readText });
  checkSettings(project, fail);
  return unset.size === 0 ? project : { ...project, warnings: [...unset].map(unsetWarning) };
}

/** The caller's environment over the `.env` of the project directory. */
function variablesOf(source: Pick<ProjectSource, 'environment' | 'directory' | 'readText'>): Lookup {
  const { environment, directory } = source;
  const own = lookupIn(environment);
  const path = `${directory}/.env`;
  const file = lookupIn(parseDotenv(source.readText(path) ?? '', { path, lookup: own }));
  return (name) => own(name) ?? file(name);
}

function unsetWarning(name: string): string {
  return `the variable ${name} is not set; it counts as empty`;
}
