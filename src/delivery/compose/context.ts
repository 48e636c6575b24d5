import type { MapNode } from './node.ts';
import { parseCompose } from './parse.ts';
import { absolutePath } from './paths.ts';
import type { Source } from './position.ts';
import type { Lookup } from './template.ts';

/** What loading the files of one project (or of one included project) depends on. */
export interface TreeContext {
  /** Relative paths are resolved against it. */
  readonly directory: string;
  /** Of the outermost project: paths in messages are relative to it. */
  readonly root: string;
  readonly lookup: Lookup;
  readonly onUnset: (name: string) => void;
  readText(path: string): string | undefined;
  /** Files that are being included, outermost first. */
  readonly included: readonly string[];
}

/** A file with its YAML documents, their places named relative to the project. */
export interface ParsedFile {
  readonly path: string;
  readonly documents: readonly MapNode[];
}

export function parseFile(path: string, text: string, context: TreeContext): ParsedFile {
  return { path, documents: parseCompose(text, sourceOf(path, context)) };
}

function sourceOf(path: string, { root, directory }: TreeContext): Source {
  const absolute = absolutePath(path, directory);
  const prefix = root.endsWith('/') ? root : `${root}/`;
  return { path: absolute, label: absolute.startsWith(prefix) ? absolute.slice(prefix.length) : absolute, directory };
}
