import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import { run } from '../../../lib/process.ts';
import type { GitReference } from '../dockerfile/remote.ts';

export interface GitCheckout {
  /** Empty, and there. */
  readonly directory: string;
  /** Socket of an SSH agent. */
  readonly sshSocket?: string;
  readonly signal: AbortSignal;
}

/** Git neither asks anybody, nor reads what the machine's users have configured. */
const QUIET = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  HOME: '/nonexistent',
};
const SSH = 'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null';
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/**
 * Checks a repository out, without its history.
 * @throws UserError `git-failed` with git's last words, `git-checksum` where the commit is another one
 */
export async function checkOutGit(reference: GitReference, o: GitCheckout): Promise<void> {
  const git = createGit(o, reference.remote);
  await git('init', '--quiet', '--initial-branch=main');
  await git('remote', 'add', 'origin', '--', reference.remote);
  const wanted = reference.ref ?? 'HEAD';
  // A server may refuse single commits, and abbreviated ones are known only with the history.
  if (!(await git.succeeds('fetch', '--quiet', '--depth=1', '--no-tags', '--', 'origin', wanted)))
    await git('fetch', '--quiet', '--tags', '--', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  const isFetched = COMMIT.test(wanted) || !(await git.succeeds('rev-parse', '--verify', '--quiet', 'FETCH_HEAD'));
  await git('checkout', '--quiet', '--detach', isFetched ? wanted : 'FETCH_HEAD');
  const commit = (await git('rev-parse', 'HEAD')).trim();
  if (reference.checksum !== undefined && !commit.startsWith(reference.checksum)) throw otherCommit(reference, commit);
  if (reference.submodules) await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1');
  if (reference.keepsGitDirectory !== true) await rm(join(o.directory, '.git'), { recursive: true });
}

interface Git {
  (...words: readonly string[]): Promise<string>;
  succeeds(...words: readonly string[]): Promise<boolean>;
}

function createGit({ directory, sshSocket, signal }: GitCheckout, remote: string): Git {
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...QUIET,
    GIT_SSH_COMMAND: SSH,
    ...(sshSocket === undefined ? {} : { SSH_AUTH_SOCK: sshSocket }),
  };
  const start = (words: readonly string[]) => run(['git', '-C', directory, ...words], { env, signal });
  const orThrow = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await start(words);
    if (exitCode !== 0) throw failed(remote, stderr);
    return stdout;
  };
  return Object.assign(orThrow, {
    succeeds: async (...words: readonly string[]) => (await start(words)).exitCode === 0,
  });
}

function failed(remote: string, said: string): UserError {
  return new UserError({
    code: 'git-failed',
    kind: 'unavailable',
    message: `cannot fetch ${remote}: ${said.trim().split('\n').slice(-3).join('\n')}`,
    fix: 'Check the address and the branch; for private repositories over ssh pass an agent with --ssh default.',
  });
}

function otherCommit({ remote, checksum }: GitReference, commit: string): UserError {
  return new UserError({
    code: 'git-checksum',
    kind: 'invalid',
    message: `${remote} gave commit ${commit}, not ${checksum}`,
    fix: 'The branch or tag has moved: look at what changed, and then name its new commit.',
  });
}
