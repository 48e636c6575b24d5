import type { Project } from './project.ts';

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
 * Says nothing about what can be run: see `unsupportedIn`.
 */
export function loadProject(_source: ProjectSource): Project {
  throw new Error('not built yet');
}
