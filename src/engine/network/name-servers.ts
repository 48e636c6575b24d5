import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, systemCodeOf } from '../../lib/errors.ts';
import { writeFileAtomic } from '../../lib/files.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';
import type { DesiredNames, DesiredResolver } from './desired.ts';
import { machineFailed } from './errors.ts';
import { readIfThere } from './machine.ts';
import { renderResolverArgv } from './resolver-plan.ts';

/** dnsmasq's exit codes for "a problem with network access", such as an address in use, and for what has no other. */
const MAY_PASS: ReadonlySet<number> = new Set([2, 5]);
const ADDRESS_PATIENCE_MS = 500;
const LEAST_ATTEMPTS = 3;

/**
 * The name server processes (dnsmasq) of one daemon. They outlive it: what runs is known by pid files, and a process
 * counts as ours only while its command line is the one that we would give it.
 */
export class NameServers {
  readonly #directory: string;
  readonly #log: Log;
  /** What the files hold, so that a server reads again only when something changed for it. */
  readonly #written = new Map<string, string>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  isRunning(key: string): boolean {
    return readIfThere(this.#pidFile(key)) !== undefined;
  }

  /** Brings files and processes to what is desired; resolvers that are not desired end. */
  async apply(desired: DesiredNames): Promise<void> {
    const changed = await this.#writeFiles(desired.files);
    await Promise.all(desired.resolvers.map((resolver) => this.#ensure(resolver, changed)));
    await this.#stopOthers(desired);
  }

  /** Is one of them gone that should be there? */
  hasFailed(desired: DesiredNames): boolean {
    return desired.resolvers.some((resolver) => this.#pidOf(resolver) === undefined);
  }

  async #writeFiles(files: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
    const changed = [...files].filter(([name, text]) => this.#contentOf(name) !== text);
    await Promise.all(
      changed.map(async ([name, text]) => {
        await writeFileAtomic(join(this.#directory, name), text);
        await chmod(join(this.#directory, name), 0o644); // whatever the umask: nobody reads it
        this.#written.set(name, text);
      }),
    );
    return new Set(changed.map(([name]) => name));
  }

  #contentOf(name: string): string | undefined {
    return this.#written.get(name) ?? readIfThere(join(this.#directory, name));
  }

  async #ensure(resolver: DesiredResolver, changed: ReadonlySet<string>): Promise<void> {
    const pid = this.#pidOf(resolver);
    if (pid === undefined) return this.#start(resolver);
    if ([...resolver.hostsFiles, resolver.localNamesFile].some((file) => changed.has(file)))
      this.#signal(pid, 'SIGHUP');
  }

  /**
   * A predecessor that was just killed may hold the address for an instant; and dnsmasq gives up when an interface of
   * another network goes away while it looks at all of them.
   */
  async #start(resolver: DesiredResolver): Promise<void> {
    await this.#stop(resolver.key);
    const deadline = performance.now() + ADDRESS_PATIENCE_MS;
    let result = await run(this.#argvOf(resolver));
    for (let attempt = 1; MAY_PASS.has(result.exitCode); attempt++) {
      if (attempt >= LEAST_ATTEMPTS && performance.now() >= deadline) break;
      await delay(10);
      result = await run(this.#argvOf(resolver));
    }
    if (result.exitCode !== 0) throw machineFailed(`name server (dnsmasq) on ${resolver.address}`, result.stderr);
    this.#log.debug({ address: resolver.address, key: resolver.key }, 'name server started');
  }

  async #stopOthers(desired: DesiredNames): Promise<void> {
    const keys = new Set(desired.resolvers.map((resolver) => resolver.key));
    for (const entry of await readdir(this.#directory)) {
      const [name = '', ending] = entry.split('.');
      if (ending === 'pid' && !keys.has(name)) await this.#stop(name);
      else if (!desired.files.has(entry) && ending !== 'pid') await this.#removeFile(entry);
    }
  }

  async #removeFile(name: string): Promise<void> {
    this.#written.delete(name);
    await rm(join(this.#directory, name), { force: true });
  }

  /** Ends the process that the pid file names, if it is still a name server of this file. */
  async #stop(key: string): Promise<void> {
    const pid = Number(readIfThere(this.#pidFile(key)));
    if (pid > 0 && commandLineOf(pid).includes(`--pid-file=${this.#pidFile(key)}`)) {
      this.#signal(pid, 'SIGKILL');
      await untilGone(pid);
    }
    await rm(this.#pidFile(key), { force: true });
  }

  #signal(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (systemCodeOf(error) !== 'ESRCH') this.#log.warn({ pid, signal, error: messageOf(error) }, 'name server');
    }
  }

  #pidOf(resolver: DesiredResolver): number | undefined {
    const pid = Number(readIfThere(this.#pidFile(resolver.key)));
    if (!(pid > 0)) return undefined;
    return commandLineOf(pid).join(' ') === this.#argvOf(resolver).join(' ') ? pid : undefined;
  }

  #argvOf(resolver: DesiredResolver): [string, ...string[]] {
    return renderResolverArgv({
      address: resolver.address,
      upstream: resolver.upstream,
      pidFile: this.#pidFile(resolver.key),
      hostsFiles: resolver.hostsFiles.map((name) => join(this.#directory, name)),
      localNamesFile: join(this.#directory, resolver.localNamesFile),
    });
  }

  #pidFile(key: string): string {
    return join(this.#directory, `${key}.pid`);
  }
}

function commandLineOf(pid: number): readonly string[] {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0').filter((part) => part !== '');
}

/** A killed process has let go of its sockets when it is gone or a zombie, not yet when its command line is. */
async function untilGone(pid: number): Promise<void> {
  const deadline = performance.now() + 2_000;
  while (!hasEnded(pid) && performance.now() < deadline) await delay(1);
}

/** The state is the first letter behind the program's name (proc_pid_stat(5)). */
function hasEnded(pid: number): boolean {
  const state = /\) (\S)/.exec(readIfThere(`/proc/${pid}/stat`) ?? '')?.[1];
  return state === undefined || state === 'Z' || state === 'X';
}
