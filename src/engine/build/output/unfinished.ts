import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Outputs that are being written under temporary names, so that those of a killed daemon can be removed. */
export interface Unfinished {
  /** A temporary name beside `path`, written down before it is given. Disposing removes what is there still. */
  beside(path: string): Promise<UnfinishedPath>;
}

export interface UnfinishedPath extends AsyncDisposable {
  readonly path: string;
}

export function createUnfinished(directory: string): Unfinished {
  return {
    async beside(path) {
      const name = randomBytes(6).toString('hex');
      const note = join(directory, name);
      const temporary = `${path.replace(/\/+$/, '')}.${name}.tmp`;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(note, temporary);
      return {
        path: temporary,
        async [Symbol.asyncDispose]() {
          await rm(temporary, { recursive: true, force: true });
          await rm(note, { force: true });
        },
      };
    },
  };
}

/** Removes what a killed daemon was writing. */
export async function removeUnfinished(directory: string): Promise<void> {
  const notes = await readdir(directory).catch(() => []);
  for (const note of notes) {
    const temporary = await readFile(join(directory, note), 'utf8');
    if (/\.[0-9a-f]{12}\.tmp$/.test(temporary)) await rm(temporary, { recursive: true, force: true });
    await rm(join(directory, note), { force: true });
  }
}
