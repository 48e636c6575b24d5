import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { run } from '../../lib/process.ts';
import { notify, type Containers, type Entry } from './containers.ts';
import type { Emit } from './events.ts';
import type { Host } from './host.ts';
import { tearDown } from './teardown.ts';

export interface RemovalParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly emit: Emit;
}

/** The end of a container that does not run: all that it had, its record last. */
export class Removal {
  readonly #parts: RemovalParts;
  /** Folders that are being deleted. */
  readonly #removals = new Set<Promise<unknown>>();

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** Called with the container's operations locked out. */
  async destroy(entry: Entry, removeVolumes: boolean): Promise<void> {
    const { host, containers, emit } = this.#parts;
    if (containers.find(entry.id) === undefined) return;
    containers.setState(entry, { ...entry.state, status: 'removing' });
    if (existsSync(entry.paths.bundle)) await tearDown(host, entry);
    const grave = await this.#buryFolder(entry);
    containers.delete(entry);
    emit(entry, 'destroy');
    notify(entry, 'removed');
    if (grave !== undefined) this.#deleteLater(grave);
    if (removeVolumes) await this.#removeAnonymousVolumes(entry);
  }

  /** Renamed first: big folders are deleted while nobody waits. A crash leaves them to the next start. */
  async #buryFolder(entry: Entry): Promise<string | undefined> {
    const grave = join(this.#parts.host.paths.containers, `.removed-${entry.id}`);
    await rm(entry.paths.exitFile, { force: true });
    return rename(entry.paths.directory, grave).then(
      () => grave,
      () => undefined,
    );
  }

  /** On the next turn of the event loop: who waited for the end hears of it before a process is begun. */
  #deleteLater(grave: string): void {
    const removal: Promise<unknown> = nextTurn()
      .then(() => run(['rm', '-rf', '--one-file-system', grave]))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #removeAnonymousVolumes(entry: Entry): Promise<void> {
    const { host, containers } = this.#parts;
    for (const mount of entry.spec.mounts) {
      if (mount.type !== 'volume' || !host.volumes.find(mount.name)?.anonymous) continue;
      await host.volumes.remove(mount.name, { force: false, usersOf: (name) => usersOfVolume(containers, name) });
    }
  }

  /** Waits for folders that are being deleted. */
  async close(): Promise<void> {
    await Promise.all(this.#removals);
  }
}

export function usersOfVolume(containers: Containers, name: string): readonly string[] {
  const uses = (entry: Entry): boolean =>
    entry.spec.mounts.some((mount) => mount.type === 'volume' && mount.name === name);
  return containers
    .all()
    .filter(uses)
    .map((entry) => entry.spec.name);
}
