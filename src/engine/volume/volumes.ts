import { EventEmitter } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../lib/errors.ts';
import { syncDirectory } from '../../lib/files.ts';
import { newId } from '../../lib/id.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';
import { volumeInUse, volumeNotFound } from './errors.ts';
import { mountVolume, unmountVolume } from './mounts.ts';
import { checkSame, planVolume } from './plan.ts';
import { openVolumeRecords } from './records.ts';
import type { VolumeRecords } from './records.ts';
import type {
  UsersOf,
  VolumeEvent,
  VolumeRecord,
  VolumeRequest,
  Volumes,
  VolumesOptions,
  VolumeUsage,
} from './types.ts';

/** Opens the records of volumes; folders without a record (a crash in between) are left alone. */
export function openVolumes(options: VolumesOptions): Volumes {
  if (existsSync(options.directory)) chmodSync(options.directory, 0o700); // an older Bascule let everybody pass
  return new LocalVolumes(options);
}

class LocalVolumes implements Volumes {
  readonly #directory: string;
  readonly #log: Log;
  readonly #records: VolumeRecords;
  readonly #events = new EventEmitter<{ event: [VolumeEvent] }>();

  constructor(options: VolumesOptions) {
    this.#directory = options.directory;
    this.#log = options.log;
    this.#records = openVolumeRecords(options.database);
  }

  /** The folder comes before the record: a record always has its folder, whenever the daemon is killed. */
  async create(request: VolumeRequest): Promise<VolumeRecord> {
    const row = planVolume(request, { newName: newId(), now: new Date() });
    const known = this.find(row.name);
    if (known !== undefined) return checkSame(known, request);
    const mountpoint = this.#mountpointOf(row.name);
    // Root alone may pass: else a set-user-ID program that a container leaves here runs for everybody.
    await mkdir(join(mountpoint, '..'), { recursive: true, mode: 0o700 });
    await mkdir(mountpoint, { recursive: true, mode: 0o755 });
    await syncDirectory(this.#directory);
    const others = this.find(row.name); // made by somebody else while the folders were
    if (others !== undefined) return checkSame(others, request);
    this.#records.add(row);
    const volume = { ...row, mountpoint };
    this.#events.emit('event', { kind: 'create', volume });
    return volume;
  }

  list(): readonly VolumeRecord[] {
    return this.#records.all().map((row) => ({ ...row, mountpoint: this.#mountpointOf(row.name) }));
  }

  find(name: string): VolumeRecord | undefined {
    const row = this.#records.find(name);
    return row === undefined ? undefined : { ...row, mountpoint: this.#mountpointOf(name) };
  }

  get(name: string): VolumeRecord {
    const volume = this.find(name);
    if (volume === undefined) throw volumeNotFound(name);
    return volume;
  }

  mountpoint(name: string): string {
    return this.get(name).mountpoint;
  }

  async prepare(name: string): Promise<VolumeRecord> {
    const volume = this.get(name);
    await mountVolume(volume);
    return volume;
  }

  async remove(name: string, o: { readonly force: boolean; usersOf: UsersOf }): Promise<void> {
    const volume = this.find(name);
    if (volume === undefined && o.force) return;
    if (volume === undefined) throw volumeNotFound(name);
    const users = o.usersOf(name);
    if (users.length > 0) throw volumeInUse(name, users);
    await this.#delete(volume);
  }

  async prune(o: {
    readonly all: boolean;
    usersOf: UsersOf;
    filter?: (volume: VolumeRecord) => boolean;
  }): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }> {
    const filter = o.filter ?? (() => true);
    const unused = this.list().filter((v) => (o.all || v.anonymous) && filter(v) && o.usersOf(v.name).length === 0);
    const sizes = await sizesOf(unused);
    for (const volume of unused) await this.#delete(volume);
    return {
      removed: unused.map((volume) => volume.name),
      freedBytes: sizes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    };
  }

  usage(signal?: AbortSignal): Promise<readonly VolumeUsage[]> {
    return sizesOf(this.list(), signal);
  }

  onEvent(listener: (event: VolumeEvent) => void): void {
    this.#events.on('event', listener);
  }

  /** Record first: a crash leaves a folder that a later volume of this name would find, so it is emptied by renaming. */
  async #delete(volume: VolumeRecord): Promise<void> {
    await unmountVolume(volume);
    const folder = join(volume.mountpoint, '..');
    const doomed = join(this.#directory, `.removed-${newId().slice(0, 12)}`);
    await rename(folder, doomed).catch((error: unknown) => {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    });
    this.#records.remove(volume.name);
    this.#events.emit('event', { kind: 'destroy', volume });
    await this.#sweep();
  }

  /** Big volumes take a while: `rm` does it in a process of its own. Leftovers of a crash go as well. */
  async #sweep(): Promise<void> {
    const doomed = (await readdir(this.#directory)).filter((name) => name.startsWith('.removed-'));
    const { exitCode, stderr } = await run([
      'rm',
      '-rf',
      '--one-file-system',
      '--',
      ...doomed.map((name) => join(this.#directory, name)),
    ]);
    if (exitCode !== 0) this.#log.warn({ stderr }, 'files of a removed volume are still there');
  }

  #mountpointOf(name: string): string {
    return join(this.#directory, name, '_data');
  }
}

/** Bytes on disk, by `du`: off the event loop. */
async function sizesOf(volumes: readonly VolumeRecord[], signal?: AbortSignal): Promise<readonly VolumeUsage[]> {
  if (volumes.length === 0) return [];
  const argv: [string, ...string[]] = ['du', '-s', '--block-size=1', '-0', '--', ...volumes.map((v) => v.mountpoint)];
  const { stdout } = await run(argv, signal === undefined ? {} : { signal });
  const sizes = new Map(stdout.split('\0').map((line) => [line.split('\t')[1], Number(line.split('\t')[0])]));
  return volumes.map((volume) => ({ name: volume.name, sizeBytes: sizes.get(volume.mountpoint) ?? 0 }));
}
