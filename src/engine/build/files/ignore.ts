import type { IgnoreRules } from '../../../lib/dockerignore.ts';
import { textOf } from './names.ts';
import type { TreeEntry } from './tree.ts';

export { type IgnoreRules, parseIgnore } from '../../../lib/dockerignore.ts';

/** Entries that are not ignored, and the folders that these are in. `prefix`: where the walk began in the context, a byte string. */
export function withoutIgnored(
  entries: readonly TreeEntry[],
  prefix: string,
  rules: IgnoreRules,
): readonly TreeEntry[] {
  if (rules.isEmpty) return entries;
  const full = (entry: TreeEntry): string => textOf([prefix, entry.path].filter((part) => part !== '').join('/'));
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
