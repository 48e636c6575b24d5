import type { Networks } from '../network/index.ts';
import type { Container, ContainerSpec, Health } from './container.ts';
import { containerNotFound, nameTaken } from './errors.ts';
import type { ContainerPaths, RuntimePaths } from './paths.ts';
import { CREATED, type ContainerRecord, type Records, type StoredState } from './records.ts';

export type Moment = 'changed' | 'exited' | 'removed';

/** A container in memory: its record, and who waits for it. */
export interface Entry {
  readonly id: string;
  readonly createdAt: Date;
  readonly paths: ContainerPaths;
  spec: ContainerSpec;
  state: StoredState;
  health: Health | undefined;
  readonly execIds: Set<string>;
  readonly listeners: Set<(moment: Moment) => void>;
  /** The end of the last lifecycle operation: they go one after another. */
  tail: Promise<unknown>;
}

/** All containers, kept in memory and written through to the records. */
export class Containers {
  readonly #entries = new Map<string, Entry>();
  readonly #names = new Map<string, string>();
  readonly #records: Records;
  readonly #paths: RuntimePaths;

  constructor(records: Records, paths: RuntimePaths) {
    this.#records = records;
    this.#paths = paths;
    for (const record of records.all()) this.#keep(record);
  }

  all(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** By name, id, or unambiguous beginning of an id. */
  find(nameOrId: string): Entry | undefined {
    const name = nameOrId.startsWith('/') ? nameOrId.slice(1) : nameOrId;
    const exact = this.#entries.get(name) ?? this.#entries.get(this.#names.get(name) ?? '');
    if (exact !== undefined || !/^[0-9a-f]{1,63}$/.test(name)) return exact;
    const matches = this.all().filter((entry) => entry.id.startsWith(name));
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** @throws UserError `container-not-found` */
  get(nameOrId: string): Entry {
    const entry = this.find(nameOrId);
    if (entry === undefined) throw containerNotFound(nameOrId);
    return entry;
  }

  /** @throws UserError `container-name-taken` */
  checkName(name: string): void {
    const holder = this.#names.get(name);
    if (holder !== undefined) throw nameTaken(name, holder);
  }

  add(id: string, spec: ContainerSpec): Entry {
    this.checkName(spec.name);
    const record: ContainerRecord = { id, spec, createdAt: new Date(), state: CREATED };
    this.#records.insert(record);
    return this.#keep(record);
  }

  setState(entry: Entry, state: StoredState): void {
    entry.state = state;
    this.#records.saveState(entry.id, state, entry.spec);
    notify(entry, 'changed');
  }

  setSpec(entry: Entry, spec: ContainerSpec): void {
    if (spec.name !== entry.spec.name) this.checkName(spec.name);
    this.#records.saveSpec(entry.id, spec);
    this.#names.delete(entry.spec.name);
    this.#names.set(spec.name, entry.id);
    entry.spec = spec;
  }

  delete(entry: Entry): void {
    this.#records.delete(entry.id, entry.spec);
    this.#entries.delete(entry.id);
    this.#names.delete(entry.spec.name);
  }

  #keep(record: ContainerRecord): Entry {
    const entry: Entry = {
      ...record,
      paths: this.#paths.of(record.id),
      health: undefined,
      execIds: new Set(),
      listeners: new Set(),
      tail: Promise.resolve(),
    };
    this.#entries.set(entry.id, entry);
    this.#names.set(entry.spec.name, entry.id);
    return entry;
  }
}

export function notify(entry: Entry, moment: Moment): void {
  for (const listener of entry.listeners) listener(moment);
}

/** Runs lifecycle operations of one container one after another. Not re-entrant. */
export function exclusively<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
  const result = entry.tail.then(work);
  entry.tail = result.catch(() => {});
  return result;
}

export function isUp(entry: Entry): boolean {
  return entry.state.status === 'running' || entry.state.status === 'paused';
}

/** The value that others see. */
export function containerOf(entry: Entry, networks: Networks): Container {
  const { state, paths } = entry;
  const sandbox = networks.sandbox(entry.id);
  return {
    id: entry.id,
    spec: entry.spec,
    createdAt: entry.createdAt,
    directory: paths.directory,
    upperDirectory: paths.upper,
    rootDirectory: paths.root,
    logPath: paths.log,
    execIds: [...entry.execIds],
    ...(sandbox === undefined ? {} : { sandbox }),
    state: {
      status: state.status,
      pid: isUp(entry) ? (state.init?.pid ?? 0) : 0,
      exitCode: state.exitCode,
      oomKilled: state.oomKilled,
      error: state.error,
      restartCount: state.restartCount,
      ...(state.startedAt === undefined ? {} : { startedAt: new Date(state.startedAt) }),
      ...(state.finishedAt === undefined ? {} : { finishedAt: new Date(state.finishedAt) }),
      ...(entry.health === undefined ? {} : { health: entry.health }),
    },
  };
}
