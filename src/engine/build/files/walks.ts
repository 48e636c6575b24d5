import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { withoutSync } from '../../../lib/database.ts';
import type { SourceQuery, WalkedRoot } from './select.ts';
import { isSettled, type TreeEntry } from './tree.ts';

/** Digests of whole trees, remembered by what a walk says of every file: an unchanged tree is not looked at further. */
export interface WalkDigests {
  /** What a query selects of a walked root; undefined where it is not known. */
  find(root: WalkedRoot, query: SourceQuery): string | undefined;
  /** Not kept where a file changed so shortly before the walk that it could have changed again. */
  remember(root: WalkedRoot, query: SourceQuery, o: { entries: readonly TreeEntry[]; digest: string }): void;
}

export function createWalkDigests(database: DatabaseSync): WalkDigests {
  const find = database.prepare('SELECT digest FROM build_walks WHERE name = ? AND stamp = ?');
  const insert = database.prepare(
    'INSERT INTO build_walks VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET stamp = excluded.stamp, digest = excluded.digest',
  );
  return {
    find(root, query) {
      const row = find.get(nameOfTree(root, query), stampOfTree(root));
      return row === undefined ? undefined : String(row['digest']);
    },
    remember(root, query, { entries, digest }) {
      if (!entries.every((entry) => isSettled(entry, root.walked.walk.at))) return;
      withoutSync(database, () => insert.run(nameOfTree(root, query), stampOfTree(root), digest));
    },
  };
}

/** One row for a place and what is asked of it. */
function nameOfTree({ walked }: WalkedRoot, { path, excludes = [] }: SourceQuery): string {
  return JSON.stringify([walked.path, path, excludes]);
}

function stampOfTree({ walked, directory, ignore }: WalkedRoot): string {
  return createHash('sha256')
    .update(JSON.stringify([directory, ignore?.text ?? '']))
    .update(walked.walk.text, 'latin1')
    .digest('hex');
}
