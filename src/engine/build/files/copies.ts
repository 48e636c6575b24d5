import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, isDigest } from '../../../lib/oci/index.ts';
import type { DigestState } from '../../image/index.ts';

/** What a COPY put into its layer: which layer, and of each file what it is and the digest of its content. */
export interface Copy {
  readonly diffId: Digest;
  /** How many layers in a row have shared files: each is one more name of a file, of which file systems allow some thousands. */
  readonly generation: number;
  /** From which the digest of a layer that begins alike goes on. */
  readonly states: readonly DigestState[];
  /** By path in the layer, a byte string: see `factsOf`. */
  readonly files: ReadonlyMap<string, string>;
}

/** The last copy of each kind, in files: they are hints, so one that is lost or damaged is none. */
export interface Copies {
  find(name: string): Promise<Copy | undefined>;
  store(name: string, copy: Copy): Promise<void>;
  clear(): Promise<void>;
}

const VERSION = 2;
const NAME = /^[0-9a-f]{64}$/;
/** Of copies that are remembered. */
const MOST = 200;

export function createCopies(directory: string): Copies {
  return {
    async find(name) {
      const text = await readFile(join(directory, name), 'latin1').catch(() => undefined);
      return text === undefined ? undefined : copyOf(text);
    },
    async store(name, copy) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const names = await readdir(directory);
      if (names.length >= MOST && !names.includes(name)) await rm(join(directory, names[0]!), { force: true });
      const path = join(directory, `${name}.${randomBytes(4).toString('hex')}`);
      await writeFile(path, textOf(copy), 'latin1');
      await rename(path, join(directory, name));
    },
    clear: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Removes what was being written when the daemon was killed. */
export async function prepareCopies(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => !NAME.test(each))) await rm(join(directory, name), { force: true });
}

function textOf({ diffId, generation, states, files }: Copy): string {
  const body = [...files].map(([path, facts]) => `${path}\0${facts}\0`).join('');
  return `${JSON.stringify({ version: VERSION, diffId, generation, states, check: checkOf(states, body) })}\n${body}`;
}

function copyOf(text: string): Copy | undefined {
  const end = text.indexOf('\n');
  const head = headOf(text.slice(0, end));
  const body = text.slice(end + 1);
  if (head === undefined || head.check !== checkOf(head.states, body)) return undefined;
  const fields = body.split('\0');
  const files = new Map<string, string>();
  for (let at = 0; at + 2 <= fields.length; at += 2) files.set(fields[at]!, fields[at + 1]!);
  return { diffId: head.diffId, generation: head.generation, states: head.states, files };
}

function headOf(line: string): (Omit<Copy, 'files'> & { readonly check: string }) | undefined {
  try {
    const { version, diffId, generation, states, check } = JSON.parse(line) as Record<string, unknown>;
    const isRight = version === VERSION && typeof diffId === 'string' && isDigest(diffId) && Array.isArray(states);
    if (!isRight) return undefined;
    return { diffId, generation: Number(generation), states: states as DigestState[], check: String(check) };
  } catch {
    return undefined;
  }
}

function checkOf(states: readonly DigestState[], body: string): string {
  return createHash('sha256').update(JSON.stringify(states)).update(body, 'latin1').digest('hex');
}
