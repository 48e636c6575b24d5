import { chmod, mkdir } from 'node:fs/promises';
import { adoptContainers, observeHalfStarted } from './adopt.ts';
import { attachTo, resizeTerminal } from './attach.ts';
import { checkMachine } from './checks.ts';
import { connect, disconnect } from './connections.ts';
import { chooseRuntimes } from './choose-runtime.ts';
import type { Container } from './container.ts';
import { containerOf, Containers, isUp, type Entry } from './containers.ts';
import { containerNotRunning, logsUnreadable } from './errors.ts';
import { renderEvent, type Emit } from './events.ts';
import { Execs } from './execs.ts';
import type { ContainerEvent, Runtime, RuntimeOptions } from './face.ts';
import { ContainerFiles, listProcesses } from './files.ts';
import { HealthChecks } from './health.ts';
import { openMountCalls } from '../image/index.ts';
import type { Host } from './host.ts';
import { Lifecycle } from './lifecycle.ts';
import { LogRotation } from './log-rotation.ts';
import { readLogBatches, readLogs } from './logs.ts';
import { detectMachine, findInit } from './machine.ts';
import { runtimePaths, type RuntimePaths } from './paths.ts';
import { openRecords } from './records.ts';
import { usersOfVolume } from './removal.ts';
import { filterProcesses, processSet, readStatistics } from './statistics.ts';
import { runStep } from './step.ts';
import { Supervisor } from './supervisor.ts';
import { waitFor } from './wait.ts';

/**
 * Opens the runtime over its records: what runs is known from here on; `adopt` takes it up.
 * @throws UserError `runtime-missing`
 */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const host = await openHost(options);
  const containers = new Containers(openRecords(options.database), host.paths);
  await observeHalfStarted(host, containers);
  return assemble(host, containers);
}

async function openHost(options: RuntimeOptions): Promise<Host> {
  const { scope, directory, images, networks, volumes, log } = options;
  const machine = await detectMachine();
  const paths = runtimePaths(scope, directory);
  await makeFolders(paths);
  const runtimes = await chooseRuntimes(machine, paths);
  return {
    machine,
    paths,
    images,
    networks,
    volumes,
    log,
    runtimes,
    runtime: runtimes[0],
    mountCalls: openMountCalls(),
  };
}

/** Where roots of containers are, root alone may pass: else a set-user-ID program that one of them made runs here. */
async function makeFolders(paths: RuntimePaths): Promise<void> {
  const [open, closed] = [
    [paths.exits, paths.sockets, paths.states, paths.crunStates],
    [paths.containers, paths.bundles, paths.steps, paths.subpaths],
  ];
  await Promise.all(open.map((path) => mkdir(path, { recursive: true, mode: 0o711 })));
  for (const path of closed) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  }
}

interface Parts {
  readonly host: Host;
  readonly containers: Containers;
  readonly lifecycle: Lifecycle;
  readonly supervisor: Supervisor;
  readonly health: HealthChecks;
  readonly rotation: LogRotation;
  readonly execs: Execs;
  readonly files: ContainerFiles;
  readonly listeners: Set<(event: ContainerEvent) => void>;
}

function assemble(host: Host, containers: Containers): Runtime {
  const listeners: Parts['listeners'] = new Set();
  const emit: Emit = (entry, action, more) => {
    const event = renderEvent(entry, action, { at: new Date(), ...(more === undefined ? {} : { more }) });
    for (const listener of listeners) listener(event);
  };
  const execs = new Execs({ host, containers, emit });
  const health = new HealthChecks({ host, containers, execs, emit });
  const rotation = new LogRotation(host.log);
  const lifecycle = new Lifecycle({ host, containers, emit, health, rotation, supervisor: () => supervisor });
  const supervisor = new Supervisor({
    host,
    containers,
    emit,
    launch: (entry, o) => lifecycle.launch(entry, o),
    removeAutomatically: (entry) => lifecycle.removeAutomatically(entry),
    ended: (entry) => {
      health.end(entry);
      rotation.end(entry);
    },
  });
  const files = new ContainerFiles(host);
  const parts = { host, containers, lifecycle, supervisor, health, rotation, execs, files, listeners };
  return { ...lifecycleFace(parts), ...streamFace(parts), ...fileFace(parts), ...machineFace(parts) };
}

type LifecycleFace = Pick<
  Runtime,
  | 'create'
  | 'start'
  | 'stop'
  | 'kill'
  | 'restart'
  | 'pause'
  | 'unpause'
  | 'rename'
  | 'update'
  | 'remove'
  | 'list'
  | 'find'
  | 'get'
  | 'wait'
  | 'connect'
  | 'disconnect'
>;

function lifecycleFace({ host, containers, lifecycle }: Parts): LifecycleFace {
  const valueOf = (entry: Entry): Container => containerOf(entry, host.networks);
  return {
    create: async (spec) => valueOf(await lifecycle.create(spec)),
    start: async (id) => lifecycle.start(containers.get(id)),
    stop: async (id, o) => lifecycle.stop(containers.get(id), o),
    kill: async (id, signal = 'SIGKILL') => lifecycle.kill(containers.get(id), signal),
    restart: async (id, o) => lifecycle.restart(containers.get(id), o),
    pause: async (id) => lifecycle.pause(containers.get(id)),
    unpause: async (id) => lifecycle.unpause(containers.get(id)),
    rename: async (id, name) => lifecycle.rename(containers.get(id), name),
    update: async (id, request) => lifecycle.update(containers.get(id), request),
    remove: async (id, o) => lifecycle.remove(containers.get(id), o),
    list: () => containers.all().map(valueOf),
    find: (nameOrId) => {
      const entry = containers.find(nameOrId);
      return entry && valueOf(entry);
    },
    get: (nameOrId) => valueOf(containers.get(nameOrId)),
    wait: async (id, condition, signal) => waitFor(containers.get(id), condition, signal),
    connect: async (id, request) => connect(host, { containers, entry: containers.get(id), request }),
    disconnect: async (id, network) => disconnect(host, { containers, entry: containers.get(id), network }),
  };
}

type StreamFace = Pick<
  Runtime,
  | 'logs'
  | 'logBatches'
  | 'attach'
  | 'resize'
  | 'createExec'
  | 'startExec'
  | 'inspectExec'
  | 'resizeExec'
  | 'top'
  | 'statistics'
>;

function streamFace({ host, containers, execs }: Parts): StreamFace {
  const { cgroupVersion } = host.machine;
  return {
    logs: (id, o) => readLogs(readable(containers.get(id)), o),
    logBatches: (id, o) => readLogBatches(readable(containers.get(id)), o),
    attach: async (id, o) => attachTo(containers.get(id), o),
    resize: async (id, size) => resizeTerminal(containers.get(id), size),
    createExec: (id, request) => execs.create(containers.get(id), request),
    startExec: async (id, o) => execs.start(id, o),
    inspectExec: (id) => execs.inspect(id),
    resizeExec: async (id, size) => execs.resize(id, size),
    top: async (id, psArguments = []) => {
      const entry = containers.get(id);
      if (!isUp(entry)) throw containerNotRunning(entry.id);
      const [text, pids] = await Promise.all([
        listProcesses(psArguments),
        processSet(cgroupVersion, entry.paths.cgroup),
      ]);
      return filterProcesses(text, pids);
    },
    statistics: async (id) => {
      const { paths, state } = containers.get(id);
      return state.init && readStatistics(cgroupVersion, paths.cgroup, state.init.pid);
    },
  };
}

function readable(entry: Entry): Entry {
  if (entry.spec.logDriver.type === 'none') throw logsUnreadable();
  return entry;
}

type FileFace = Pick<Runtime, 'changes' | 'sizeOf' | 'statPath' | 'copyOut' | 'copyIn' | 'exportRoot' | 'sealLayer'>;

function fileFace({ containers, files }: Parts): FileFace {
  return {
    changes: async (id) => files.changes(containers.get(id)),
    sizeOf: async (id) => files.sizeOf(containers.get(id)),
    statPath: async (id, path) => files.stat(containers.get(id), path),
    copyOut: async (id, path, o) => files.copyOut(containers.get(id), path, o),
    copyIn: async (id, path, tar) => files.copyIn(containers.get(id), path, tar),
    exportRoot: async (id, o) => files.exportRoot(containers.get(id), o),
    sealLayer: async (id) => files.seal(containers.get(id)),
  };
}

type MachineFace = Pick<
  Runtime,
  'onEvent' | 'runStep' | 'isImageUsed' | 'isVolumeUsed' | 'usersOfVolume' | 'info' | 'check' | 'adopt' | 'close'
>;

function machineFace(parts: Parts): MachineFace {
  const { host, containers, lifecycle, supervisor, health, rotation, listeners } = parts;
  const { machine, runtime, runtimes } = host;
  return {
    onEvent: (listener) => void listeners.add(listener),
    runStep: (o) =>
      runStep({ machine, runtimes, paths: host.paths, volumePath: (name) => host.volumes.mountpoint(name) }, o),
    isImageUsed: (id) => containers.all().some((entry) => entry.spec.imageId === id),
    isVolumeUsed: (name) => usersOfVolume(containers, name).length > 0,
    usersOfVolume: (name) => usersOfVolume(containers, name),
    info: () => ({
      runtimes: runtimes.map(({ name }) => name),
      defaultRuntime: runtime.name,
      cgroupVersion: machine.cgroupVersion,
      initBinary: findInit() ?? '',
    }),
    check: () => checkMachine(host),
    adopt: () => adoptContainers(parts),
    close: async () => {
      supervisor.close();
      health.close();
      rotation.close();
      await lifecycle.close();
    },
  };
}
