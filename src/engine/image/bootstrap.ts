import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { UserError, unreachable } from '../../lib/errors.ts';
import { readTextIfThere } from '../../lib/files.ts';
import { platformOfNode } from '../../lib/oci/index.ts';
import { run, runOrThrow } from '../../lib/process.ts';
import { type AptMirrors, chooseMirrors, parseOsRelease, renderSources, type Host } from './apt-sources.ts';
import type { BootstrapRecipe } from './bootstrap-catalog.ts';
import { writeBusyboxRoot } from './busybox.ts';
import { type Snapshot, snapshotMirrors } from './snapshot.ts';
import { keyringOf, mmdebstrapArgv } from './mmdebstrap-argv.ts';

export interface BootstrapWork {
  /** Empty; becomes the root. */
  readonly root: string;
  /** For files that are needed meanwhile. */
  readonly temporary: string;
  readonly snapshot?: Snapshot | undefined;
  onOutput(line: string): void;
  readonly signal: AbortSignal;
}

type DebootstrapRecipe = Extract<BootstrapRecipe, { kind: 'debootstrap' }>;

const LAST_LINES = 6;
/** unshare's and env's exit code for a program that is not there. */
const NOT_FOUND = 127;
/** What Docker's own Debian and Ubuntu images say to apt and dpkg inside a container (debuerreotype). */
const CONTAINER_FILES: readonly (readonly [path: string, content: string, mode: number])[] = [
  [
    'usr/sbin/policy-rc.d',
    '#!/bin/sh\n# A container has no service manager: packages do not start services.\nexit 101\n',
    0o755,
  ],
  [
    'etc/dpkg/dpkg.cfg.d/docker-apt-speedup',
    '# A layer is whole or not there: no need to sync each file.\nforce-unsafe-io\n',
    0o644,
  ],
  [
    'etc/apt/apt.conf.d/docker-clean',
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };\n' +
      'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n',
    0o644,
  ],
];

/** Fills an empty folder with the root file system of a recipe. @throws UserError */
export async function writeBootstrapRoot(recipe: BootstrapRecipe, work: BootstrapWork): Promise<void> {
  switch (recipe.kind) {
    case 'busybox':
      if (work.snapshot !== undefined) throw snapshotUnsupported();
      work.onOutput('making a root file system around the busybox of this machine');
      return writeBusyboxRoot(work.root, work.signal);
    case 'debootstrap':
      return writeDebianRoot(recipe, work);
    default:
      return unreachable(recipe);
  }
}

async function writeDebianRoot(recipe: DebootstrapRecipe, work: BootstrapWork): Promise<void> {
  const { distribution, suite, isSlim } = recipe;
  const { snapshot } = work;
  const mirrors =
    snapshot === undefined
      ? chooseMirrors(distribution, await readHost())
      : { ...snapshotMirrors(distribution, snapshot), isOutdated: true };
  const keyring = keyringOf(distribution);
  if (!existsSync(keyring)) throw keyringMissing(recipe, keyring);
  const sourcesFile = mirrors === undefined ? undefined : join(work.temporary, 'sources.list');
  if (mirrors !== undefined) {
    await writeFile(join(work.temporary, 'sources.list'), renderSources(distribution, suite, mirrors));
  }
  if (snapshot !== undefined && mirrors !== undefined) await assertReachable(mirrors, suite, work);
  work.onOutput(`making ${distribution} ${suite} from packages of ${mirrors?.archive ?? 'its public mirror'}`);
  const { architecture } = platformOfNode(process.arch);
  await runMmdebstrap(
    mmdebstrapArgv({ distribution, suite, isSlim, architecture, target: work.root, keyring, sourcesFile }),
    work,
  );
  await finishRoot(work.root);
  if (snapshot !== undefined) await makeReproducible(work.root, snapshot.at);
}

/** mmdebstrap takes the machine's proxy settings from the environment, as apt does. */
async function runMmdebstrap(argv: readonly [string, ...string[]], work: BootstrapWork): Promise<void> {
  const [program, ...rest] = argv;
  const epoch = work.snapshot === undefined ? {} : { SOURCE_DATE_EPOCH: String(secondsOf(work.snapshot.at)) };
  const child = spawn('env', [...Object.entries(epoch).map(([name, value]) => `${name}=${value}`), program, ...rest], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGKILL'); // its namespaces end with it
  work.signal.addEventListener('abort', stop, { once: true });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    work.onOutput(line);
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    work.signal.throwIfAborted();
    if (code === NOT_FOUND) throw mmdebstrapMissing();
    if (code !== 0) throw bootstrapFailed(lines);
  } finally {
    work.signal.removeEventListener('abort', stop);
  }
}

/** apt's own downloader asks: it knows the machine's proxies. */
async function assertReachable({ archive }: AptMirrors, suite: string, work: BootstrapWork): Promise<void> {
  const url = `${archive}/dists/${suite}/InRelease`;
  const { exitCode, stdout, stderr } = await run(
    ['/usr/lib/apt/apt-helper', 'download-file', url, join(work.temporary, 'InRelease')],
    { signal: work.signal },
  );
  if (exitCode !== 0) throw snapshotUnreachable(url, `${stdout}\n${stderr}`);
}

/** What the time of the work would leave in files: caches and journals go, times are those of the snapshot at most. */
async function makeReproducible(root: string, at: Date): Promise<void> {
  for (const path of [
    'var/cache/ldconfig/aux-cache',
    'var/cache/apt/pkgcache.bin',
    'var/cache/apt/srcpkgcache.bin',
    'var/log/alternatives.log',
    'var/log/bootstrap.log',
    'var/log/apt/eipp.log.xz',
  ]) {
    await rm(join(root, path), { force: true });
  }
  const epoch = `@${secondsOf(at)}`;
  await runOrThrow([
    'find',
    root,
    '-newermt',
    epoch,
    '-exec',
    'touch',
    '--no-dereference',
    `--date=${epoch}`,
    '{}',
    '+',
  ]);
}

function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1_000);
}

async function finishRoot(root: string): Promise<void> {
  for (const name of await readdir(join(root, 'dev'))) await rm(join(root, 'dev', name), { recursive: true });
  for (const path of [
    'etc/hostname',
    'etc/resolv.conf',
    'var/log/apt/history.log',
    'var/log/apt/term.log',
    'var/log/dpkg.log',
  ]) {
    await rm(join(root, path), { force: true });
  }
  for (const [path, content, mode] of CONTAINER_FILES) await writeFile(join(root, path), content, { mode });
}

async function readHost(): Promise<Host> {
  const release = parseOsRelease((await readTextIfThere('/etc/os-release')) ?? '');
  const files = ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*.{list,sources}').sort()];
  const sources = await Promise.all(files.filter((file) => existsSync(file)).map((file) => readFile(file, 'utf8')));
  return {
    distribution: release.get('ID') ?? '',
    codename: release.get('VERSION_CODENAME') ?? '',
    sources,
  };
}

function snapshotUnsupported(): UserError {
  return new UserError({
    code: 'snapshot-unsupported',
    kind: 'invalid',
    message: 'there are no snapshots of busybox: it is the one of this machine',
    fix: 'Snapshots are of debian:… and ubuntu:….',
  });
}

function snapshotUnreachable(url: string, said: string): UserError {
  return new UserError({
    code: 'snapshot-unreachable',
    kind: 'unavailable',
    message: `there is no snapshot at ${url}: ${said.trim().split('\n').slice(-2).join(' ')}`,
    fix: 'Check that the time is not in the future and that this machine reaches the server; --mirror names another one.',
  });
}

function keyringMissing({ distribution }: DebootstrapRecipe, keyring: string): UserError {
  const name = distribution === 'debian' ? 'debian-archive-keyring' : 'ubuntu-keyring';
  return new UserError({
    code: 'keyring-missing',
    kind: 'unavailable',
    message: `the keys that sign ${distribution}'s packages are not on this machine (${keyring})`,
    fix: `Install them: \`apt-get install ${name}\`.`,
  });
}

function mmdebstrapMissing(): UserError {
  return new UserError({
    code: 'program-missing',
    kind: 'unavailable',
    message: 'the program "mmdebstrap" is not installed',
    fix: 'Install it: `apt-get install mmdebstrap`.',
  });
}

function bootstrapFailed(lines: readonly string[]): UserError {
  return new UserError({
    code: 'bootstrap-failed',
    kind: 'failed',
    message: `mmdebstrap failed: ${lines.slice(-LAST_LINES).join('\n')}`,
    fix: 'Check that the package mirror can be reached from this machine: `apt-get update`.',
  });
}
