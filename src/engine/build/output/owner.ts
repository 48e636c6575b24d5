import { chown, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runOrThrow } from '../../../lib/process.ts';
import type { FileOwner } from '../face.ts';

/** Makes a folder and those above it; new ones are given to who asked. */
export async function makeFolder(path: string, owner: FileOwner | undefined): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined || owner === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await chown(made, owner.uid, owner.gid);
}

/** Gives a file, or a folder with all that is in it, to who asked. */
export async function giveTo(path: string, owner: FileOwner | undefined): Promise<void> {
  if (owner !== undefined) await runOrThrow(['chown', '-hR', '--', `${owner.uid}:${owner.gid}`, path]);
}
