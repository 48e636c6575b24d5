import { stat } from 'node:fs/promises';

/** A file of a container's log. */
export interface LogFile {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
}

/** The name of an older file: 1 is the youngest of them. */
export function rotatedPath(log: string, number: number): string {
  return `${log}.${number}`;
}

/** All files of a log, the oldest first; the last is the current one. */
export async function logFiles(log: string): Promise<readonly LogFile[]> {
  const files: LogFile[] = [];
  for (let number = 0; ; number++) {
    const path = number === 0 ? log : rotatedPath(log, number);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined && number > 0) return files.toReversed();
    const isKnown = files.some((file) => file.inode === found?.ino); // a rotation is in its middle
    if (found !== undefined && !isKnown) files.push({ path, inode: found.ino, size: found.size });
  }
}

/** The file after the one with this inode; where that is gone, the current one; undefined where it is that. */
export async function nextLogFile(log: string, inode: number): Promise<LogFile | undefined> {
  const current = await stat(log).catch(() => undefined);
  if (current === undefined || current.ino === inode) return undefined;
  const files = await logFiles(log);
  const index = files.findIndex((file) => file.inode === inode);
  return index < 0 ? files.at(-1) : files[index + 1];
}
