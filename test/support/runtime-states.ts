import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Ids of what the OCI runtimes know, but for folders of their own (`.cache`). */
export function runtimeStatesIn(runDirectory: string): readonly string[] {
  const names = ['oci', 'crun'].flatMap((name) => readdirSync(join(runDirectory, name)));
  return names.filter((name) => !name.startsWith('.')).sort();
}
