import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../../lib/files.ts';
import { run } from '../../../lib/process.ts';
import type { Intent } from '../state.ts';
import { certificateDirectoryOf, certificateFileOf, renderList } from './certificates.ts';
import {
  certificateListOf,
  challengesMapOf,
  matchesMapOf,
  type ProxySettings,
  portsMapOf,
  renderConfiguration,
  renderMap,
  routesMapOf,
  selectorsMapOf,
  socketPathOf,
} from './render-haproxy.ts';
import { lookupOf } from './matches.ts';
import { routesEntries, selectorEntries } from './shares.ts';
import { parseVersion, type ProxyVersion } from './version.ts';

const configPathOf = (runDirectory: string): string => `${runDirectory}/haproxy.cfg`;
const pidPathOf = (runDirectory: string): string => `${runDirectory}/haproxy.pid`;

export async function versionOf(program: string): Promise<ProxyVersion> {
  return parseVersion((await run([program, '-v'])).stdout);
}

/**
 * Writes configuration and maps and starts the proxy as a process of its own that outlives us. With `replacing` the
 * new one takes the listening sockets over from a running one, which ends with its last connection.
 * @throws UserError `proxy-not-started` with HAProxy's own words
 */
export async function startProxy(
  program: string,
  settings: ProxySettings,
  intent: Intent,
  replacing?: number,
): Promise<void> {
  const { runDirectory } = settings;
  await mkdir(runDirectory, { recursive: true, mode: 0o750 });
  const lookup = lookupOf(intent.ports, intent.previews, settings);
  await writeFileAtomic(portsMapOf(runDirectory), renderMap(lookup.ports));
  await writeFileAtomic(matchesMapOf(runDirectory), renderMap(lookup.matches));
  await writeFileAtomic(selectorsMapOf(runDirectory), renderMap(selectorEntries(intent)));
  await writeFileAtomic(routesMapOf(runDirectory), renderMap(routesEntries(intent)));
  await writeFileAtomic(challengesMapOf(runDirectory), '');
  await using _certificates = await lendCertificates(runDirectory, intent);
  // There are keys in it.
  await writeFileAtomic(configPathOf(runDirectory), renderConfiguration(settings, intent.instances), 0o600);
  const takeOver = replacing === undefined ? [] : ['-x', socketPathOf(runDirectory), '-sf', String(replacing)];
  const argv = ['-D', '-f', configPathOf(runDirectory), '-p', pidPathOf(runDirectory), ...takeOver];
  const result = await run([program, ...argv], { cwd: '/', timeoutMs: 30_000 });
  if (result.exitCode !== 0) throw notStarted(result.stderr);
}

/** The proxy reads its certificates when it starts; afterwards their keys lie at one place again. */
async function lendCertificates(runDirectory: string, { certificates }: Intent): Promise<AsyncDisposable> {
  const directory = certificateDirectoryOf(runDirectory);
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  await remove();
  await mkdir(directory, { mode: 0o700 });
  for (const { name, pem } of certificates) {
    await writeFile(certificateFileOf(runDirectory, name), pem, { mode: 0o600 });
  }
  await writeFileAtomic(certificateListOf(runDirectory), renderList(runDirectory, certificates));
  return { [Symbol.asyncDispose]: remove };
}

/** Ends the proxy that the pid file names, if it is ours; waits until it is gone. */
export async function endProxy(runDirectory: string, signals: readonly NodeJS.Signals[]): Promise<void> {
  const pid = await pidOf(runDirectory);
  if (pid === undefined) return;
  for (const signal of signals) {
    if (!(await isOurs(pid, runDirectory))) return;
    process.kill(pid, signal);
    for (let waitedMs = 0; waitedMs < 3_000 && (await isOurs(pid, runDirectory)); waitedMs += 20) await delay(20);
  }
}

/** Whether the process that the pid file names runs. */
export async function isProxyAlive(runDirectory: string): Promise<boolean> {
  const pid = await pidOf(runDirectory);
  return pid !== undefined && isOurs(pid, runDirectory);
}

/** Whether there is a process with this pid, whoever it is. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function pidOf(runDirectory: string): Promise<number | undefined> {
  const pid = Number(await readTextIfThere(pidPathOf(runDirectory)));
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Pids are used again: only a process that runs with our configuration is ours. A zombie has no command line. */
async function isOurs(pid: number, runDirectory: string): Promise<boolean> {
  try {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return commandLine.split('\0').includes(configPathOf(runDirectory));
  } catch {
    return false;
  }
}

/** What this machine allows: IPv6, an account to change to, and how many connections its descriptors are enough for. */
export async function machineTraits(): Promise<Pick<ProxySettings, 'withIpv6' | 'maxConnections' | 'account'>> {
  const [addresses, limits, accounts] = await Promise.all([
    readTextIfThere('/proc/net/if_inet6'),
    readFile('/proc/self/limits', 'utf8'),
    readTextIfThere('/etc/passwd'),
  ]);
  const hasAccount = /^haproxy:/m.test(accounts ?? '') && process.getuid?.() === 0;
  return {
    withIpv6: (addresses ?? '').trim() !== '',
    maxConnections: connectionsFor(limits),
    ...(hasAccount ? { account: { user: 'haproxy', group: 'haproxy' } } : {}),
  };
}

const MOST_CONNECTIONS = 50_000;

/** Two descriptors a connection, and a tenth kept for checks, idle connections and sockets. Raises no limit. */
export function connectionsFor(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '1024';
  const descriptors = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  return Math.min(MOST_CONNECTIONS, Math.floor((descriptors * 0.9) / 2));
}

function notStarted(words: string): UserError {
  return new UserError({
    code: 'proxy-not-started',
    kind: 'unavailable',
    message: `HAProxy did not start: ${words.trim().split('\n').slice(-5).join('\n')}`,
    fix: 'The words are from HAProxy itself; `bascule doctor` checks whether this machine has what it needs.',
  });
}
