import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { run } from '../../lib/process.ts';
import { runtimeArgv } from './argv.ts';
import { childGroups, processesOf, removeCgroup } from './cgroup.ts';
import { fifoOf } from './conmon.ts';
import { isUp, type Containers, type Entry } from './containers.ts';
import type { HealthChecks } from './health.ts';
import type { LogRotation } from './log-rotation.ts';
import { runtimeOf, type Host } from './host.ts';
import type { Lifecycle } from './lifecycle.ts';
import { identify } from './process-identity.ts';
import { startsAtBoot } from './restart-plan.ts';
import { unmountRoot } from './root-mount.ts';
import type { Supervisor } from './supervisor.ts';
import { tearDown } from './teardown.ts';
import { unbind } from './volume-source.ts';

export interface AdoptParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly lifecycle: Lifecycle;
  readonly supervisor: Supervisor;
  readonly health: HealthChecks;
  readonly rotation: LogRotation;
}

/**
 * A container that began while the daemon was killed is not on record as running: its process and the fifo that was
 * read tell. Done before anybody looks at the containers.
 */
export async function observeHalfStarted(host: Host, containers: Containers): Promise<void> {
  for (const entry of containers.all()) {
    if (isUp(entry) || entry.state.status === 'removing') continue;
    const [init, conmon] = await Promise.all([processIn(entry.paths.pidFile), processIn(entry.paths.conmonPidFile)]);
    if (init === undefined || conmon === undefined || existsSync(fifoOf(runtimeOf(host, entry.id), entry.id))) continue;
    const startedAt = new Date().toISOString();
    containers.setState(entry, { ...entry.state, init, conmon, status: 'running', error: '', startedAt });
  }
}

async function processIn(pidFile: string): Promise<ReturnType<typeof identify>> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  return Number(text) > 0 ? identify(Number(text)) : undefined;
}

/** Takes up what runs, tidies up what does not, and starts what its policy wants started. */
export async function adoptContainers(parts: AdoptParts): Promise<void> {
  const { host, containers, supervisor } = parts;
  const rebooted = await noteBoot(host);
  const wereRunning = new Set(
    containers
      .all()
      .filter((entry) => isUp(entry))
      .map((entry) => entry.id),
  );
  await supervisor.watch();
  for (const entry of containers.all()) if (isUp(entry)) supervisor.look(entry);
  await Promise.all(containers.all().map((entry) => entry.tail));
  await Promise.all(containers.all().map((entry) => settleOne(parts, entry)));
  await removeLeftovers(host, containers);
  for (const entry of containers.all()) resume(parts, entry, { rebooted, wasRunning: wereRunning.has(entry.id) });
}

/** The run directory is emptied by a reboot: our mark in it is gone then. */
async function noteBoot(host: Host): Promise<boolean> {
  await mkdir(host.paths.states, { recursive: true });
  const mark = `${host.paths.states}.mark`;
  if (existsSync(mark)) return false;
  await writeFile(mark, '');
  return true;
}

async function settleOne({ host, lifecycle, health, rotation }: AdoptParts, entry: Entry): Promise<void> {
  if (isUp(entry)) {
    health.begin(entry, { adopted: true });
    rotation.begin(entry);
    return;
  }
  if (entry.state.status === 'removing') {
    await lifecycle.removeAutomatically(entry);
    return;
  }
  if (existsSync(entry.paths.bundle)) await endLeftover(host, entry);
}

/** A start that was cut off: what it made is taken away. */
async function endLeftover(host: Host, entry: Entry): Promise<void> {
  await tearDown(host, entry).catch((error: unknown) => {
    host.log.warn({ container: entry.id, error: messageOf(error) }, 'a leftover of a start was not removed');
  });
}

function resume(
  { host, supervisor, lifecycle }: AdoptParts,
  entry: Entry,
  o: { readonly rebooted: boolean; readonly wasRunning: boolean },
): void {
  const { state, spec } = entry;
  if (isUp(entry)) return;
  if (state.status === 'restarting') {
    supervisor.cancelRestart(entry);
    supervisor.scheduleRestart(entry, Math.max(state.lastDelayMs, 1));
    return;
  }
  const wasRunning = o.wasRunning && !state.stoppedByUser;
  const { restartPolicy: policy } = spec;
  if (!o.rebooted || state.status === 'created') return;
  if (!startsAtBoot({ policy, wasRunning, stoppedByUser: state.stoppedByUser, exitCode: state.exitCode })) return;
  lifecycle.start(entry).catch((error: unknown) => {
    host.log.warn({ container: entry.id, error: messageOf(error) }, 'a container was not started after the reboot');
  });
}

/** Folders, mounts, control groups and runtime states of containers and steps that are no more. */
async function removeLeftovers(host: Host, containers: Containers): Promise<void> {
  const known = new Set(containers.all().map((entry) => entry.id));
  const { paths } = host;
  await removeStates(host, known);
  for (const id of await namesIn(paths.bundles)) if (!known.has(id)) await unmountRoot(paths.of(id).root);
  const bound = (await namesIn(paths.subpaths)).map((name) => name.split('-')[0] ?? name);
  for (const id of new Set(bound)) if (!known.has(id)) await unbind(paths.subpaths, id);
  await Promise.all([
    removeUnknown(paths.bundles, known),
    removeUnknown(paths.containers, known),
    removeUnknown(paths.exits, known),
    removeUnknown(paths.steps, new Set()),
    removeUnknown(paths.execs, new Set()),
  ]);
}

async function removeStates(host: Host, known: ReadonlySet<string>): Promise<void> {
  const { machine, runtimes, paths } = host;
  for (const runtime of runtimes) {
    const unknown = (await namesIn(runtime.stateDirectory)).filter((id) => !id.startsWith('.') && !known.has(id));
    await Promise.all(unknown.map((id) => run(runtimeArgv(runtime, 'delete', '--force', id))));
  }
  for (const id of await childGroups(machine.cgroupVersion, paths.cgroupParent)) {
    if (known.has(id)) continue;
    const group = `${paths.cgroupParent}/${id}`;
    for (const pid of await processesOf(machine.cgroupVersion, group)) killQuietly(pid);
    await removeCgroup(machine.cgroupVersion, group);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

async function removeUnknown(directory: string, known: ReadonlySet<string>): Promise<void> {
  const unknown = (await namesIn(directory)).filter((name) => !known.has(name));
  await Promise.all(unknown.map((name) => removeTree(join(directory, name))));
}

async function removeTree(path: string): Promise<void> {
  await run(['rm', '-rf', '--one-file-system', path]);
  await rm(path, { recursive: true, force: true }).catch(() => {});
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}
