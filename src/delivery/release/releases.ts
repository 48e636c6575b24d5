import type { DatabaseSync } from 'node:sqlite';
import type { Releases } from './release.ts';

export function openReleases(_o: { readonly database: DatabaseSync }): Releases {
  throw new Error('not built yet');
}
