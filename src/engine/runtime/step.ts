import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCodeOf } from '../../lib/errors.ts';
import { readTextIfThere } from '../../lib/files.ts';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/process.ts';
import { loggedRuntimeArgv, runtimeArgv, type OciRuntime } from './argv.ts';
import { expectMigration } from './cgroup-lock.ts';
import { wasOomKilled } from './cgroup.ts';
import { hostDevices } from './devices.ts';
import type { MountSpec } from './container.ts';
import type { StepNetwork, StepRequest, StepResult } from './face.ts';
import { findRefusal, startFailed } from './failures.ts';
import { followTargets } from './mount-targets.ts';
import type { RuntimePaths } from './paths.ts';
import type { ResolvedMount } from './render-mounts.ts';
import { writeReadable } from './readable-file.ts';
import { renderSpec, specText, type Machine } from './render-spec.ts';
import { readInRoot } from '../../lib/root-path.ts';
import { resolveUser } from './users.ts';

export interface StepHost {
  readonly machine: Machine;
  readonly runtimes: readonly [OciRuntime, ...OciRuntime[]];
  readonly paths: RuntimePaths;
  volumePath(name: string): string;
}

/**
 * One build step: writes a bundle to the run directory, runs it in one go, and leaves nothing. The bundle's few small
 * files are written and removed at once: a thread for each takes longer than the files.
 */
export async function runStep(host: StepHost, o: StepRequest): Promise<StepResult> {
  o.signal?.throwIfAborted();
  const id = o.id ?? `step-${newId().slice(0, 24)}`;
  const bundle = join(host.paths.steps, id);
  void expectMigration(host.machine.cgroupVersion);
  mkdirSync(bundle, { recursive: true });
  try {
    await writeBundle(host, o, { id, bundle });
    return await execute(host, o, { id, bundle });
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

interface StepPlace {
  readonly id: string;
  readonly bundle: string;
}

async function writeBundle(host: StepHost, o: StepRequest, place: StepPlace): Promise<void> {
  const files = writeNetworkFiles(o, place.bundle);
  const [passwd, group] = await Promise.all([
    readInRoot(o.rootDirectory, '/etc/passwd'),
    readInRoot(o.rootDirectory, '/etc/group'),
  ]);
  const isPrivileged = o.isPrivileged === true;
  const { spec } = renderSpec({
    spec: {
      args: o.args,
      env: o.env,
      workingDirectory: o.workingDirectory,
      tty: false,
      hostname: o.hostname ?? 'buildkitsandbox',
      readOnlyRoot: false,
      resources: o.resources ?? {},
      shmSizeBytes: o.shmSizeBytes ?? 0,
      security: { privileged: isPrivileged, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default' },
      sysctls: {},
    },
    user: resolveUser(o.user, [], { passwd, group }),
    rootDirectory: o.rootDirectory,
    cgroupsPath: `${host.paths.cgroupParent}/${place.id}`,
    namespaces: { network: networkNamespace(o.network), pid: 'private', ipc: 'private', uts: 'private' },
    mounts: await followTargets(
      o.rootDirectory,
      (o.mounts ?? []).map((mount) => resolveMount(host, mount)),
    ),
    files: await followTargets(o.rootDirectory, files),
    devices: isPrivileged ? await hostDevices() : [],
    // On version 1 that is ten mounts (5 ms), and without a limit there is nothing to learn from it.
    hidesCgroups: !isPrivileged && host.machine.cgroupVersion === 1 && Object.keys(o.resources ?? {}).length === 0,
    machine: host.machine,
  });
  writeFileSync(join(place.bundle, 'config.json'), specText(spec), { mode: 0o600 }); // environments hold passwords
}

function networkNamespace(network: StepNetwork): 'host' | 'private' | { readonly path: string } {
  if (network === 'host') return 'host';
  return network === 'none' ? 'private' : { path: network.namespacePath };
}

function resolveMount(host: StepHost, mount: MountSpec): ResolvedMount {
  if (mount.type !== 'volume') return mount;
  return { type: 'bind', source: host.volumePath(mount.name), target: mount.target, readOnly: mount.readOnly };
}

/** Names for the step's network; files of its own, so that the image stays as it is. */
function writeNetworkFiles(o: StepRequest, bundle: string): readonly { source: string; target: string }[] {
  const given = typeof o.network === 'object' ? o.network : undefined;
  const resolv = given?.resolvConf ?? (o.network === 'host' ? '/etc/resolv.conf' : undefined);
  const base = given === undefined ? '127.0.0.1\tlocalhost\n::1\tlocalhost\n' : readFileSync(given.hosts, 'utf8');
  const files = {
    hosts: base + extraHostLines(o.extraHosts ?? []),
    'resolv.conf': resolv !== undefined && existsSync(resolv) ? readFileSync(resolv, 'utf8') : '',
  };
  return Object.entries(files).map(([name, text]) => {
    const source = join(bundle, name);
    writeReadable(source, text);
    return { source, target: `/etc/${name}` };
  });
}

function extraHostLines(hosts: readonly string[]): string {
  return hosts
    .map((entry) => `${entry.slice(entry.indexOf(':') + 1)}\t${entry.slice(0, entry.indexOf(':'))}\n`)
    .join('');
}

/** Where memory is limited the container is kept until we have asked whether that ended it: runc alone does so. */
async function execute(host: StepHost, o: StepRequest, place: StepPlace): Promise<StepResult> {
  const keeping = o.resources?.memoryBytes ? host.runtimes.find(({ name }) => name === 'runc') : undefined;
  const runtime = keeping ?? host.runtimes[0];
  const keep = keeping !== undefined;
  const logFile = join(place.bundle, 'log.json');
  const pidFile = join(place.bundle, 'pid');
  const [program, ...args] = loggedRuntimeArgv(
    runtime,
    logFile,
    ...['run', ...(keep ? ['--keep'] : []), '--bundle', place.bundle, '--pid-file', pidFile, place.id],
  );
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: place.bundle, detached: true });
  child.stdout.on('data', (data: Buffer) => o.onOutput('stdout', data));
  child.stderr.on('data', (data: Buffer) => o.onOutput('stderr', data));
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const abort = (): void => void killStep(pidFile, { runtimePid: child.pid, isOver });
  o.signal?.addEventListener('abort', abort);
  if (o.signal?.aborted) abort(); // while the bundle was written
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 137));
    });
    const oomKilled =
      keep && (await wasOomKilled(host.machine.cgroupVersion, `${host.paths.cgroupParent}/${place.id}`));
    if (keep || o.signal?.aborted) await run(runtimeArgv(runtime, 'delete', '--force', place.id));
    o.signal?.throwIfAborted();
    const failure = exitCode === 0 ? undefined : await startFailure(logFile, pidFile);
    return failure === undefined ? { exitCode, oomKilled } : await reportFailure(o, failure);
  } finally {
    o.signal?.removeEventListener('abort', abort);
  }
}

const KILL_AGAIN_MS = 20;

/**
 * Ends the first process of the step's pid namespace, and with it all others; before it exists, the runtime. The
 * process may come into being in just that moment, so this goes on until the step is over.
 */
async function killStep(
  pidFile: string,
  step: { readonly runtimePid: number | undefined; isOver(): boolean },
): Promise<void> {
  while (!step.isOver()) {
    const pid = Number((await readTextIfThere(pidFile).catch(() => '')) ?? '');
    if (pid > 1) killIfThere(pid, 'SIGKILL');
    else if (step.runtimePid !== undefined) killIfThere(step.runtimePid, 'SIGTERM');
    await delay(KILL_AGAIN_MS);
  }
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCodeOf(error) !== 'ESRCH') throw error; // it has just ended
  }
}

/** What the runtime said where the process never began. */
async function startFailure(logFile: string, pidFile: string): Promise<string | undefined> {
  if ((await readTextIfThere(pidFile)) !== undefined) return undefined;
  return (await readTextIfThere(logFile)) || undefined;
}

/** A command that is not there is an outcome of the step (the runtime has said so); anything else is an error. */
async function reportFailure(o: StepRequest, logText: string): Promise<StepResult> {
  const failure = startFailed(logText);
  const refusal = await findRefusal(o.rootDirectory, o);
  if (refusal === undefined) throw failure;
  return { exitCode: refusal.exitCode, oomKilled: false };
}
