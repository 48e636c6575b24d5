import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import { run, type RunResult } from '../../../lib/process.ts';
import { shownUrl } from './http.ts';

/** What git needs to reach a repository. */
export interface GitAccess {
  /** Socket of an SSH agent. */
  readonly sshSocket?: string;
  /** Where keys of hosts are remembered: a host's first one is believed. Absent: it is not remembered. */
  readonly knownHosts?: string;
  /** `GIT_AUTH_TOKEN`, `GIT_AUTH_HEADER`, or those with `.HOST` at the end, as BuildKit has them. */
  readonly secrets?: Readonly<Record<string, Uint8Array>>;
  /** Variables that name proxies. */
  readonly proxies: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface GitTree {
  readonly remote: string;
  readonly ref: string | undefined;
  /** First digits of the commit. */
  readonly checksum: string | undefined;
  /** What the reference was resolved to before; another one now is an error. */
  readonly commit?: string;
  readonly keepsGitDirectory?: boolean | undefined;
  readonly submodules: boolean;
}

/** What prlimit(1) ends with where there is no such program. */
const NOT_FOUND = 127;
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const TIMEOUT_MS = 30 * 60_000;
/** Of one file that git writes: a pack, a file of the tree. */
const MOST_FILE_BYTES = 16 * 1024 ** 3;

/**
 * The commit that a reference names now: for a whole commit nobody is asked, else `git ls-remote` is.
 * @throws UserError `git-failed`, `git-ref-unknown`, `git-checksum`
 */
export async function resolveCommit(tree: GitTree, access: GitAccess): Promise<string> {
  const ref = tree.ref ?? 'HEAD';
  const commit = COMMIT.test(ref) ? ref : await askCommit(tree, ref, access);
  if (commit !== undefined) {
    refuseOther(tree, commit);
    return commit;
  }
  // The beginning of a commit is known only with the history.
  if (/^[0-9a-f]{7,64}$/.test(ref)) return ref;
  throw new UserError({
    code: 'git-ref-unknown',
    kind: 'not-found',
    message: `${shownUrl(tree.remote)} has no branch, tag or commit "${ref}"`,
    fix: 'Correct the part behind "#" in the address.',
  });
}

/** Branches go before tags, as for `git checkout`; of an annotated tag its commit. */
async function askCommit(tree: GitTree, ref: string, access: GitAccess): Promise<string | undefined> {
  const git = createGit('/', tree.remote, access);
  const said = await git('ls-remote', '--', git.remote, ref, `${ref}^{}`);
  const found = new Map(said.split('\n').map((line) => line.split('\t').toReversed() as [string, string]));
  const names = [ref, `refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`];
  for (const name of names) {
    const commit = found.get(`${name}^{}`) ?? found.get(name);
    if (commit !== undefined) return commit;
  }
  return undefined;
}

/**
 * Checks a repository out into an empty folder, without its history; hooks, local paths and other transports than
 * http(s), ssh and git are off, for submodules too.
 * @returns the commit
 * @throws UserError `git-failed` with git's last words, `git-checksum` where the commit is another one
 */
export async function checkOutGit(tree: GitTree, o: GitAccess & { readonly directory: string }): Promise<string> {
  await mkdir(o.directory, { recursive: true });
  const git = createGit(o.directory, tree.remote, o);
  await git('init', '--quiet', '--initial-branch=main', '--template=');
  await git('remote', 'add', '--', 'origin', git.remote);
  const wanted = tree.ref ?? 'HEAD';
  // A server may refuse single commits or shallow copies, and abbreviated commits are known only with the history.
  const isShallow = await git.succeeds('fetch', '--quiet', '--depth=1', '--no-tags', '--', 'origin', wanted);
  if (!isShallow) await git('fetch', '--quiet', '--tags', '--', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  const commit = await commitOf(git, isShallow ? 'FETCH_HEAD' : wanted, tree);
  refuseOther(tree, commit);
  if (tree.commit !== undefined && !commit.startsWith(tree.commit)) throw failed(tree.remote, 'it has just changed');
  await git('checkout', '--quiet', '--force', '--detach', commit);
  if (tree.submodules) await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1');
  if (tree.keepsGitDirectory !== true) await rm(join(o.directory, '.git'), { recursive: true });
  return commit;
}

async function commitOf(git: Git, wanted: string, { remote }: GitTree): Promise<string> {
  for (const name of [
    wanted,
    `refs/remotes/origin/${wanted.replace(/^refs\/heads\//, '')}`,
    'refs/remotes/origin/HEAD',
  ]) {
    const { exitCode, stdout } = await git.run(
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${name}^{commit}`,
    );
    if (exitCode === 0) return stdout.trim();
  }
  throw failed(remote, `there is no "${wanted}"`);
}

interface Git {
  (...words: readonly string[]): Promise<string>;
  run(...words: readonly string[]): Promise<RunResult>;
  succeeds(...words: readonly string[]): Promise<boolean>;
  /** Without user and password, which go to git in its environment. */
  readonly remote: string;
}

const CONFIGURATION: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['protocol.allow', 'never'],
  ['protocol.https.allow', 'always'],
  ['protocol.http.allow', 'always'],
  ['protocol.ssh.allow', 'always'],
  ['protocol.git.allow', 'always'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['advice.detachedHead', 'false'],
  ['http.followRedirects', 'initial'],
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
];

/** The file's name is in the environment: ssh itself puts it there (ssh_config(5), "ENVIRONMENT VARIABLES"). */
const SSH = [
  'ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=30 -o LogLevel=ERROR -o StrictHostKeyChecking=accept-new',
  "-o 'UserKnownHostsFile=${BASCULE_KNOWN_HOSTS}'",
].join(' ');

/** Git neither asks anybody, nor reads what the machine's users have configured. */
function createGit(directory: string, remote: string, access: GitAccess): Git {
  const { bare, header } = credentialsOf(remote, access.secrets ?? {});
  const configuration = header === undefined ? CONFIGURATION : [...CONFIGURATION, ...credentialed(bare, header)];
  const env: NodeJS.ProcessEnv = {
    ...access.proxies,
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    HOME: '/nonexistent',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_SSH_COMMAND: SSH,
    BASCULE_KNOWN_HOSTS: access.knownHosts ?? '/dev/null',
    GIT_CONFIG_COUNT: String(configuration.length),
    ...Object.fromEntries(
      configuration.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
    ...(access.sshSocket === undefined ? {} : { SSH_AUTH_SOCK: access.sshSocket }),
  };
  const start = (...words: readonly string[]): Promise<RunResult> =>
    run(['prlimit', `--fsize=${MOST_FILE_BYTES}`, '--', 'git', '-C', directory, ...words], {
      env,
      signal: access.signal,
      timeoutMs: TIMEOUT_MS,
    });
  const orThrow = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await start(...words);
    access.signal.throwIfAborted();
    if (exitCode === NOT_FOUND) throw gitMissing();
    if (exitCode !== 0) throw failed(remote, stderr);
    return stdout;
  };
  return Object.assign(orThrow, {
    run: start,
    remote: bare,
    succeeds: async (...words: readonly string[]) => (await start(...words)).exitCode === 0,
  });
}

/** User and password of the URL, else the secrets of the build, as a header: arguments of programs are seen by all. */
function credentialsOf(
  remote: string,
  secrets: Readonly<Record<string, Uint8Array>>,
): { readonly bare: string; readonly header: string | undefined } {
  if (!/^https?:\/\//.test(remote) || !URL.canParse(remote)) return { bare: remote, header: undefined };
  const url = new URL(remote);
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = url.password = '';
  const bare = url.href;
  if (pair !== ':') return { bare, header: basic(pair) };
  const secret = (name: string): string | undefined => {
    const bytes = secrets[`${name}.${url.host}`] ?? secrets[name];
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8').trim();
  };
  const [own, token] = [secret('GIT_AUTH_HEADER'), secret('GIT_AUTH_TOKEN')];
  if (own !== undefined) return { bare, header: `Authorization: ${own}` };
  return { bare, header: token === undefined ? undefined : basic(`x-access-token:${token}`) };
}

function basic(pair: string): string {
  return `Authorization: Basic ${Buffer.from(pair).toString('base64')}`;
}

/**
 * With credentials no redirection is followed: git would fetch from where it leads, and show that host the header.
 * A later value of a key goes before an earlier one.
 */
function credentialed(remote: string, header: string): readonly (readonly [string, string])[] {
  return [
    [`http.${originOf(remote)}.extraheader`, header],
    ['http.followRedirects', 'false'],
  ];
}

/** Credentials go to the repository's own host only. */
function originOf(url: string): string {
  return `${new URL(url).origin}/`;
}

function refuseOther({ remote, checksum }: GitTree, commit: string): void {
  if (checksum === undefined || commit.startsWith(checksum)) return;
  throw new UserError({
    code: 'git-checksum',
    kind: 'invalid',
    message: `${shownUrl(remote)} gave commit ${commit}, not ${checksum}`,
    fix: 'The branch or tag has moved: look at what changed, and then name its new commit.',
  });
}

function gitMissing(): UserError {
  return new UserError({
    code: 'program-missing',
    kind: 'unavailable',
    message: 'the program "git" is not installed, and the build reads a repository',
    fix: 'Install the package git (and openssh-client for addresses of ssh).',
  });
}

function failed(remote: string, said: string): UserError {
  const words = said.trim().split('\n').slice(-3).map(shownWords).join('\n');
  return new UserError({
    code: 'git-failed',
    kind: 'unavailable',
    message: `cannot fetch ${shownUrl(remote)}: ${words}`,
    fix: 'Check the address and the branch; for private repositories over ssh pass an agent with --ssh default.',
  });
}

/** Git shows addresses, and those of submodules may have passwords. */
function shownWords(line: string): string {
  return line.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#'"]*@/gi, '$1');
}
