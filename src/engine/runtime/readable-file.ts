import { chmodSync, writeFileSync } from 'node:fs';

/** A small file that every user of a container may read, whatever our umask. */
export function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}
