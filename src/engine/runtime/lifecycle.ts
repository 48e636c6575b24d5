import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/process.ts';
import { runtimeArgv } from './argv.ts';
import { prepareBundle } from './bundle.ts';
import { unknownCapability } from './capabilities.ts';
import { beginProcess, createUnderConmon } from './conmon.ts';
import type { ContainerSpec } from './container.ts';
import { exclusively, isUp, notify, type Containers, type Entry } from './containers.ts';
import {
  alreadyPaused,
  containerNotPaused,
  containerNotRunning,
  containerPaused,
  containerRunning,
  invalidContainer,
  removalInProgress,
} from './errors.ts';
import type { Emit } from './events.ts';
import type { StopOptions, UpdateRequest } from './face.ts';
import { startFailed } from './failures.ts';
import type { HealthChecks } from './health.ts';
import type { LogRotation } from './log-rotation.ts';
import { runtimeOf, type Host } from './host.ts';
import { sendSignal } from './process-identity.ts';
import { Removal } from './removal.ts';
import { renderResources, ULIMIT_NAMES } from './render-resources.ts';
import { signalNumber } from './signals.ts';
import type { Supervisor } from './supervisor.ts';
import { tearDown } from './teardown.ts';

const SIGKILL = 9;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export interface LifecycleParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly emit: Emit;
  readonly health: HealthChecks;
  readonly rotation: LogRotation;
  supervisor(): Supervisor;
}

/** What users do to containers. */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #removal: Removal;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.#removal = new Removal(parts);
  }

  async create(spec: ContainerSpec): Promise<Entry> {
    const { containers, host, emit } = this.#parts;
    checkSpec(spec);
    containers.checkName(spec.name);
    host.images.layersOf(spec.imageId);
    const entry = containers.add(newId(), spec);
    await mkdir(entry.paths.upper, { recursive: true });
    await chmod(entry.paths.upper, 0o755); // it becomes the container's `/`, whatever our umask
    await mkdir(entry.paths.work, { recursive: true });
    emit(entry, 'create');
    return entry;
  }

  start(entry: Entry): Promise<void> {
    return exclusively(entry, async () => {
      if (entry.state.status === 'removing') throw removalInProgress(entry.id);
      if (entry.state.status === 'paused') throw containerPaused(entry.id);
      if (entry.state.status === 'running') return;
      this.#parts.supervisor().cancelRestart(entry);
      if (entry.state.restartCount > 0 || entry.state.stoppedByUser)
        this.#patch(entry, { restartCount: 0, stoppedByUser: false });
      await this.launch(entry, { delayMs: 0 });
    });
  }

  /** Starts the process; on failure everything made is undone and the reason recorded. */
  async launch(entry: Entry, o: { readonly delayMs: number }): Promise<void> {
    const { host, containers, emit, health, rotation } = this.#parts;
    try {
      await prepareBundle(host, containers, entry);
      const held = await createUnderConmon(host, entry);
      await beginProcess(runtimeOf(host, entry.id), entry.id, held.init);
      const { finishedAt: _finished, health: _health, ...state } = entry.state;
      containers.setState(entry, {
        ...state,
        ...held,
        status: 'running',
        exitCode: 0,
        oomKilled: false,
        error: '',
        startedAt: new Date().toISOString(),
        lastDelayMs: o.delayMs,
      });
    } catch (error) {
      await this.#undoLaunch(entry, error);
      throw error;
    }
    emit(entry, 'start');
    health.begin(entry, { adopted: false });
    rotation.begin(entry);
    this.#parts.supervisor().look(entry);
  }

  async #undoLaunch(entry: Entry, error: unknown): Promise<void> {
    await tearDown(this.#parts.host, entry).catch((cause: unknown) => {
      this.#parts.host.log.warn({ container: entry.id, error: messageOf(cause) }, 'a failed start was not undone');
    });
    const told = error instanceof UserError ? error.details['exitCode'] : undefined;
    this.#patch(entry, { error: messageOf(error), exitCode: typeof told === 'number' ? told : 128 });
    if (entry.spec.autoRemove && entry.state.status === 'created') await this.#removal.destroy(entry, true);
  }

  async stop(entry: Entry, o: StopOptions = {}): Promise<void> {
    await entry.tail;
    if (this.#parts.supervisor().cancelRestart(entry)) await this.#giveUpRestart(entry);
    if (!isUp(entry)) return;
    const signal = signalNumber(o.signal || entry.spec.stopSignal || 'SIGTERM');
    this.#patch(entry, { stoppedByUser: true });
    await this.#unpauseQuietly(entry);
    const seconds = o.timeoutSeconds ?? entry.spec.stopTimeoutSeconds;
    this.#signal(entry, signal);
    const ended = await this.#endsWithin(entry, seconds < 0 ? Infinity : seconds * 1_000);
    if (!ended) {
      this.#signal(entry, SIGKILL);
      await this.#endsWithin(entry, Infinity);
    }
    await entry.tail;
    this.#parts.emit(entry, 'stop');
  }

  async #giveUpRestart(entry: Entry): Promise<void> {
    await exclusively(entry, async () => this.#patch(entry, { status: 'exited', stoppedByUser: true }));
    notify(entry, 'exited');
  }

  kill(entry: Entry, signal: string): void {
    const number = signalNumber(signal || 'SIGKILL');
    if (!isUp(entry)) throw containerNotRunning(entry.id);
    if (number === SIGKILL || number === signalNumber(entry.spec.stopSignal || 'SIGTERM')) {
      this.#patch(entry, { stoppedByUser: true });
    }
    if (entry.state.status === 'paused' && number === SIGKILL) {
      void this.#unpauseQuietly(entry).then(() => this.#signal(entry, number));
      return;
    }
    this.#signal(entry, number);
  }

  #signal(entry: Entry, number: number): void {
    const { init } = entry.state;
    if (init === undefined || !sendSignal(init, number)) return;
    this.#parts.emit(entry, 'kill', { signal: String(number) });
  }

  async restart(entry: Entry, o: StopOptions = {}): Promise<void> {
    await this.stop(entry, o);
    await this.start(entry);
    this.#parts.emit(entry, 'restart');
  }

  pause(entry: Entry): Promise<void> {
    return exclusively(entry, async () => {
      if (entry.state.status === 'paused') throw alreadyPaused(entry.id);
      if (!isUp(entry)) throw containerNotRunning(entry.id);
      await this.#runtimeCommand('pause', entry);
      this.#patch(entry, { status: 'paused' });
      this.#parts.emit(entry, 'pause');
    });
  }

  unpause(entry: Entry): Promise<void> {
    return exclusively(entry, async () => {
      if (entry.state.status !== 'paused') throw containerNotPaused(entry.id);
      await this.#runtimeCommand('resume', entry);
      this.#patch(entry, { status: 'running' });
      this.#parts.emit(entry, 'unpause');
    });
  }

  /** A paused process takes no signal. */
  async #unpauseQuietly(entry: Entry): Promise<void> {
    if (entry.state.status === 'paused') await this.unpause(entry).catch(() => {});
  }

  async #runtimeCommand(command: 'pause' | 'resume', entry: Entry): Promise<void> {
    const result = await run(runtimeArgv(runtimeOf(this.#parts.host, entry.id), command, entry.id));
    if (result.exitCode !== 0) throw startFailed(result.stderr);
  }

  rename(entry: Entry, name: string): Promise<void> {
    return exclusively(entry, async () => {
      checkName(name);
      const oldName = entry.spec.name;
      this.#parts.containers.setSpec(entry, { ...entry.spec, name });
      if (this.#parts.host.networks.sandbox(entry.id)) await this.#parts.host.networks.rename(entry.id, name);
      this.#parts.emit(entry, 'rename', { oldName: `/${oldName}` });
    });
  }

  update(entry: Entry, request: UpdateRequest): Promise<void> {
    return exclusively(entry, async () => {
      const { host, containers, emit } = this.#parts;
      const resources = { ...entry.spec.resources, ...request.resources };
      if (isUp(entry) && request.resources !== undefined) {
        // In a file: crun opens its standard input by name, which a socket has not.
        const file = join(entry.paths.bundle, 'resources.json');
        await writeFile(file, JSON.stringify(renderResources(resources, host.machine.resources)));
        const result = await run(runtimeArgv(runtimeOf(host, entry.id), 'update', '--resources', file, entry.id));
        if (result.exitCode !== 0) throw startFailed(result.stderr);
      }
      const restartPolicy = request.restartPolicy ?? entry.spec.restartPolicy;
      containers.setSpec(entry, { ...entry.spec, resources, restartPolicy });
      emit(entry, 'update');
    });
  }

  async remove(entry: Entry, o: { readonly force: boolean; readonly removeVolumes: boolean }): Promise<void> {
    await entry.tail;
    if (entry.state.status === 'removing') throw removalInProgress(entry.id);
    if ((isUp(entry) || entry.state.status === 'restarting') && !o.force) throw containerRunning(entry.spec.name);
    if (this.#parts.supervisor().cancelRestart(entry)) await this.#giveUpRestart(entry);
    if (isUp(entry)) {
      this.#patch(entry, { stoppedByUser: true });
      await this.#unpauseQuietly(entry);
      this.#signal(entry, SIGKILL);
      await this.#endsWithin(entry, Infinity);
    }
    await exclusively(entry, () => this.#removal.destroy(entry, o.removeVolumes));
  }

  /** The same from inside of another operation. */
  async removeAutomatically(entry: Entry): Promise<void> {
    await this.#removal.destroy(entry, true);
  }

  #endsWithin(entry: Entry, timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const listener = (): void => {
      if (!isUp(entry)) resolve(true);
    };
    entry.listeners.add(listener);
    const timer = timeoutMs === Infinity ? undefined : setTimeout(() => resolve(false), timeoutMs);
    listener();
    return promise.finally(() => {
      clearTimeout(timer);
      entry.listeners.delete(listener);
    });
  }

  #patch(entry: Entry, patch: Partial<Entry['state']>): void {
    this.#parts.containers.setState(entry, { ...entry.state, ...patch });
  }

  close(): Promise<void> {
    return this.#removal.close();
  }
}

function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw invalidContainer(
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    'Choose another name.',
  );
}

/** What can be known to be wrong before anything is made. */
function checkSpec(spec: ContainerSpec): void {
  checkName(spec.name);
  signalNumber(spec.stopSignal || 'SIGTERM');
  if (spec.args.length === 0) {
    throw invalidContainer('no command specified', 'Give a command, or set CMD or ENTRYPOINT in the image.');
  }
  const capability = unknownCapability([...spec.security.capAdd, ...spec.security.capDrop]);
  if (capability !== undefined) {
    throw invalidContainer(`invalid capability: unknown capability: "${capability}"`, 'See capabilities(7) for names.');
  }
  const ulimit = spec.resources.ulimits?.find(({ name }) => !ULIMIT_NAMES.includes(name));
  if (ulimit !== undefined) {
    throw invalidContainer(`invalid ulimit type: ${ulimit.name}`, `Use one of ${ULIMIT_NAMES.join(', ')}.`);
  }
}
