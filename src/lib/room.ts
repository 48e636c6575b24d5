import { statfs } from 'node:fs/promises';

/** What a file system has left; some of it is for others. */
export interface Room {
  readonly bytes: number;
  /** Infinite where inodes are made as they are needed. */
  readonly inodes: number;
}

const OURS = 0.95;

export async function roomIn(directory: string): Promise<Room> {
  const { bavail, bsize, files, ffree } = await statfs(directory);
  return {
    bytes: Math.floor(bavail * bsize * OURS),
    inodes: files === 0 ? Number.POSITIVE_INFINITY : Math.floor(ffree * OURS),
  };
}
