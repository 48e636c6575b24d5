import { createHash } from 'node:crypto';
import type { SelectedSource } from '../files/select.ts';

const BLOCK = 64 * 1024;

export interface DigestedSource {
  readonly source: SelectedSource;
  /** Content digests of regular files by their path. */
  readonly contents: ReadonlyMap<string, string>;
}

/**
 * Digest of what a step reads: names, kinds, modes, link targets and contents; owners where they are kept.
 * Times are no part of it: a fresh checkout is the same context. Pure.
 */
export function inputDigest(sources: readonly DigestedSource[], o: { readonly withOwners: boolean }): string {
  const hash = createHash('sha256');
  for (const { source, contents } of sources) {
    const sorted = source.entries.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    let text = '';
    for (const entry of sorted) {
      const owner = o.withOwners ? [entry.uid, entry.gid] : [];
      const content = entry.kind === 'file' ? contents.get(entry.path) : entry.linkTarget;
      const name = entry.path === '' ? [entry.kind === 'directory' ? '' : source.name] : [];
      text += JSON.stringify([name, entry.path, entry.kind, entry.mode, owner, content]);
      if (text.length < BLOCK) continue;
      hash.update(text); // one call an entry takes several times as long
      text = '';
    }
    hash.update(`${text}\n`);
  }
  return hash.digest('hex');
}
