import { chmod, writeFile } from 'node:fs/promises';

/** A file that every user of a container may read, whatever our umask. */
export async function writeReadable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}
