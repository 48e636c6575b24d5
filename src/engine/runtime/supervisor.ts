import { watch, type FSWatcher } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { readTextIfThere } from '../../lib/files.ts';
import { wasOomKilled } from './cgroup.ts';
import { exclusively, isUp, notify, type Containers, type Entry } from './containers.ts';
import type { Emit } from './events.ts';
import type { Host } from './host.ts';
import { rotateAtEnd } from './log-rotation.ts';
import { isAlive } from './process-identity.ts';
import { planRestart } from './restart-plan.ts';
import { tearDown } from './teardown.ts';

/** Exit code where nobody saw how it ended, as Docker gives after a crash of the machine. */
const UNKNOWN_EXIT = 255;
/** How often we look whether a conmon was killed: it writes an exit file in every other case. */
const SWEEP_MS = 10_000;

export interface SupervisorParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly emit: Emit;
  /** Starts a container again; called with the container's operations locked out. */
  launch(entry: Entry, o: { readonly delayMs: number }): Promise<void>;
  removeAutomatically(entry: Entry): Promise<void>;
  /** Whatever goes on beside the container ends: its health checks, the care of its log. */
  ended(entry: Entry): void;
}

/** Sees containers end, records it, tidies up, and starts them again where their policy says so. */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #restarts = new Map<string, NodeJS.Timeout>();
  #watcher: FSWatcher | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  /** Watches conmon's exit files; `directory` is made where it is missing. */
  async watch(): Promise<void> {
    const directory = this.#parts.host.paths.exits;
    await mkdir(directory, { recursive: true });
    this.#watcher = watch(directory, (_event, name) => {
      const entry = name === null ? undefined : this.#parts.containers.find(name);
      if (entry !== undefined && entry.id === name) this.look(entry);
    });
    this.#sweep = setInterval(() => {
      for (const entry of this.#parts.containers.all()) if (isUp(entry)) this.look(entry);
    }, SWEEP_MS);
    this.#sweep.unref();
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#sweep);
    for (const timer of this.#restarts.values()) clearTimeout(timer);
    this.#restarts.clear();
  }

  /** Has it ended? Then all that follows happens. */
  look(entry: Entry): void {
    exclusively(entry, () => this.#lookNow(entry)).catch((error: unknown) => {
      this.#parts.host.log.error({ container: entry.id, error: messageOf(error) }, 'a container ended: not tidied up');
    });
  }

  /** No restart any more: a user takes over. True where one was due. */
  cancelRestart(entry: Entry): boolean {
    const timer = this.#restarts.get(entry.id);
    clearTimeout(timer);
    return this.#restarts.delete(entry.id);
  }

  /** Starts again after a delay; also at the daemon's start. */
  scheduleRestart(entry: Entry, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#restarts.delete(entry.id);
      exclusively(entry, async () => {
        if (entry.state.status === 'restarting') await this.#restart(entry, delayMs);
      }).catch((error: unknown) => {
        this.#parts.host.log.warn({ container: entry.id, error: messageOf(error) }, 'a restart failed');
      });
    }, delayMs);
    this.#restarts.set(entry.id, timer);
  }

  async #restart(entry: Entry, delayMs: number): Promise<void> {
    const { containers } = this.#parts;
    containers.setState(entry, { ...entry.state, restartCount: entry.state.restartCount + 1 });
    try {
      await this.#parts.launch(entry, { delayMs });
    } catch (error) {
      this.#afterEnd(entry, 0);
      throw error;
    }
  }

  async #lookNow(entry: Entry): Promise<void> {
    if (!isUp(entry)) return;
    const held = this.#isHeld(entry); // before the file is read: a conmon that is gone has written it
    const text = await readTextIfThere(entry.paths.exitFile);
    if (text === undefined && held) return;
    await this.#recordExit(entry, text === undefined ? UNKNOWN_EXIT : Number(text.trim()));
  }

  /** While conmon lives it will say how the container ended; without conmon the container's own life counts. */
  #isHeld(entry: Entry): boolean {
    const { conmon, init } = entry.state;
    return (conmon !== undefined && isAlive(conmon)) || (init !== undefined && isAlive(init));
  }

  /** What others wait for comes first; tidying up goes on with further operations locked out. */
  async #recordExit(entry: Entry, exitCode: number): Promise<void> {
    const { host, containers, emit } = this.#parts;
    this.#parts.ended(entry);
    await rotateAtEnd(entry).catch((error: unknown) =>
      host.log.warn({ container: entry.id, error: messageOf(error) }, 'a log was not rotated'),
    );
    const oomKilled = await this.#sawOom(entry);
    const { init: _init, conmon: _conmon, ...state } = entry.state;
    const started = Date.parse(state.startedAt ?? '') || Date.now();
    const ended = { ...state, exitCode, oomKilled, error: '', finishedAt: new Date().toISOString() };
    const delayMs = this.#planRestart({ ...entry, state: ended }, Date.now() - started);
    containers.setState(entry, { ...ended, status: delayMs === undefined ? 'exited' : 'restarting' });
    if (oomKilled) emit(entry, 'oom');
    const seconds = Math.round((Date.now() - started) / 1_000);
    emit(entry, 'die', { exitCode: String(exitCode), execDuration: String(seconds) });
    notify(entry, 'exited');
    await tearDown(host, entry);
    await rm(entry.paths.exitFile, { force: true });
    await this.#next(entry, delayMs);
  }

  /** After a restart that failed to start at all. */
  #afterEnd(entry: Entry, ranMs: number): void {
    const failed = { ...entry.state, exitCode: entry.state.exitCode || UNKNOWN_EXIT };
    const delayMs = this.#planRestart({ ...entry, state: failed }, ranMs);
    this.#parts.containers.setState(entry, { ...failed, status: delayMs === undefined ? 'exited' : 'restarting' });
    if (delayMs !== undefined) this.scheduleRestart(entry, delayMs);
    else notify(entry, 'exited');
  }

  async #next(entry: Entry, delayMs: number | undefined): Promise<void> {
    if (delayMs !== undefined && entry.state.status === 'restarting') this.scheduleRestart(entry, delayMs);
    else if (entry.spec.autoRemove) await this.#parts.removeAutomatically(entry);
  }

  #planRestart(entry: Pick<Entry, 'spec' | 'state'>, ranMs: number): number | undefined {
    const { state, spec } = entry;
    return planRestart({
      policy: spec.restartPolicy,
      exitCode: state.exitCode,
      stoppedByUser: state.stoppedByUser,
      restartCount: state.restartCount,
      ranMs,
      lastDelayMs: state.lastDelayMs,
    });
  }

  async #sawOom(entry: Entry): Promise<boolean> {
    const byKernel = await wasOomKilled(this.#parts.host.machine.cgroupVersion, entry.paths.cgroup);
    return byKernel || (await readTextIfThere(join(entry.paths.bundle, 'oom'))) !== undefined;
  }
}
