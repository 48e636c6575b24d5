import dockerignore from '@balena/dockerignore';
import type { TreeEntry } from './tree.ts';

/** Which files of the context are left out (Dockerfile reference: .dockerignore file). Pure. */
export interface IgnoreRules {
  readonly isEmpty: boolean;
  /** @param path relative to the context's root */
  ignores(path: string): boolean;
}

export function parseIgnore(text: string): IgnoreRules {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const matcher = dockerignore.default({ ignorecase: false }).add(rules);
  return { isEmpty: rules.length === 0, ignores: (path) => path !== '' && matcher.ignores(path) };
}

/** Entries that are not ignored, and the folders that these are in. `prefix`: where the walk began in the context. */
export function withoutIgnored(
  entries: readonly TreeEntry[],
  prefix: string,
  rules: IgnoreRules,
): readonly TreeEntry[] {
  if (rules.isEmpty) return entries;
  const full = (entry: TreeEntry): string => [prefix, entry.path].filter((part) => part !== '').join('/');
  const kept = new Set(entries.filter((entry) => !rules.ignores(full(entry))).map(({ path }) => path));
  const needed = new Set<string>();
  for (const path of kept) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at);
      if (needed.has(parent)) break;
      needed.add(parent);
    }
    if (path !== '') needed.add('');
  }
  return entries.filter(({ path, kind }) => kept.has(path) || (kind === 'directory' && needed.has(path)));
}
