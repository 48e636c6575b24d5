import { dirname, join, resolve } from 'node:path';
import { readInRootIfThere } from '../../../lib/root-path.ts';
import { withoutCredentials } from './without-credentials.ts';

/** The repository that a folder is part of. */
export interface Checkout {
  /** The commit that is checked out; files may have changed since. */
  readonly revision: string;
  /** Where `origin` is, without credentials. */
  readonly source?: string;
}

/**
 * Reads two or three small files: git itself would run programs that the repository's configuration names.
 * Undefined where the folder is in no repository, or nothing is committed yet.
 */
export async function readCheckout(directory: string): Promise<Checkout | undefined> {
  const found = await findGitDirectory(directory);
  if (found === undefined) return undefined;
  const common = resolve(found, (await textOf(join(found, 'commondir')))?.trim() ?? '.');
  const revision = await headOf(found, common);
  if (revision === undefined) return undefined;
  const source = originIn((await textOf(join(common, 'config'))) ?? '');
  return { revision, ...(source === undefined ? {} : { source: withoutCredentials(source) }) };
}

/** `.git` is a folder, or a file that names one (worktrees, submodules). */
async function findGitDirectory(start: string): Promise<string | undefined> {
  for (let directory = start; ; directory = dirname(directory)) {
    const git = join(directory, '.git');
    if ((await textOf(join(git, 'HEAD'))) !== undefined) return git;
    const [, elsewhere] = /^gitdir: (.+)$/m.exec((await textOf(git)) ?? '') ?? [];
    if (elsewhere !== undefined) return resolve(directory, elsewhere);
    if (directory === dirname(directory)) return undefined;
  }
}

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

async function headOf(git: string, common: string): Promise<string | undefined> {
  const head = (await textOf(join(git, 'HEAD')))?.trim() ?? '';
  if (COMMIT.test(head)) return head;
  const [, name] = /^ref: (refs\/[^\s]+)$/.exec(head) ?? [];
  if (name === undefined || name.includes('..')) return undefined;
  const loose = (await textOf(join(common, name)))?.trim();
  if (loose !== undefined && COMMIT.test(loose)) return loose;
  const packed = (await textOf(join(common, 'packed-refs'))) ?? '';
  return packed
    .split('\n')
    .find((line) => line.endsWith(` ${name}`))
    ?.split(' ')
    .find((word) => COMMIT.test(word));
}

function originIn(config: string): string | undefined {
  const [, section = ''] = /^\[remote "origin"\]\n((?:[ \t].*\n?)*)/m.exec(config) ?? [];
  return /^[ \t]+url = (.+)$/m.exec(section)?.[1]?.trim();
}

/** A pipe or device in its place is not waited for. */
async function textOf(path: string): Promise<string | undefined> {
  return await readInRootIfThere('/', path).catch(() => undefined);
}
