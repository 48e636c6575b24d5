import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import {
  openImageStore,
  overlayMountArgv,
  type ImageEvent,
  type ImageRecord,
  type ImageStore,
  type Upper,
} from '../../src/engine/image/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Digest, ImageConfig } from '../../src/lib/oci/index.ts';
import { describeTree } from './image-trees.ts';

/** What a store without images has on the disk. */
export const EMPTY = { layers: [], uppers: [], temporary: [], 'blobs/sha256': [] };

const PROGRAMS = ['/usr/bin/getfattr', '/usr/bin/setfattr', '/usr/sbin/setcap'];

/** Why tests of layers cannot run here, or false. */
export function whyNoLayers(): string | false {
  if (process.getuid?.() !== 0) return 'needs root: overlay mounts, device nodes, owners';
  const missing = PROGRAMS.find((program) => !existsSync(program));
  return missing === undefined ? false : `needs ${missing}: packages attr and libcap2-bin`;
}

/** A store of its own in a temporary folder; mounts made through it end with it. */
export class ImageBench implements AsyncDisposable {
  readonly directory: string;
  readonly events: ImageEvent[] = [];
  readonly #mounts: string[] = [];
  #database: DatabaseSync | undefined;
  #store: ImageStore | undefined;

  /** @param directory what another process has left; it is gone afterwards */
  constructor(directory?: string) {
    this.directory = directory ?? mkdtempSync(join(tmpdir(), 'bascule-image-'));
  }

  get store(): ImageStore {
    return this.#store!;
  }

  get database(): DatabaseSync {
    return this.#database!;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  async open(): Promise<this> {
    mkdirSync(this.path('engine'), { recursive: true });
    this.#database = openDatabase(this.path('engine.db'));
    const o = { directory: this.path('engine'), database: this.#database, log: silentLog };
    this.#store = await openImageStore(o);
    this.#store.onEvent((event) => this.events.push(event));
    return this;
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#database?.close();
  }

  /** While the store is closed. */
  editDatabase(sql: string): void {
    const database = openDatabase(this.path('engine.db'));
    database.exec(sql);
    database.close();
  }

  mount(image: Digest | undefined, upper?: Upper): string {
    const target = this.path(`mount-${this.#mounts.length}`);
    mkdirSync(target);
    const lower = image === undefined ? [] : this.store.layersOf(image).map((layer) => layer.directory);
    const writable = upper === undefined ? {} : { upper: upper.directory, work: upper.workDirectory };
    const [program, ...rest] = overlayMountArgv({ lower, ...writable, target });
    execFileSync(program, rest);
    this.#mounts.push(target);
    return target;
  }

  unmount(target: string): void {
    execFileSync('umount', [target]);
    this.#mounts.splice(this.#mounts.indexOf(target), 1);
    rmSync(target, { recursive: true });
  }

  /** An image of one layer more, which `change` makes in the mounted root. */
  async step(
    parent: Digest | undefined,
    change: (root: string) => void,
    references: readonly string[] = [],
  ): Promise<ImageRecord> {
    const upper = await this.store.newUpper();
    const root = this.mount(parent, upper);
    change(root);
    this.unmount(root);
    const layer = await this.store.seal(upper);
    const below = parent === undefined ? [] : this.store.get(parent).config.rootfs.diff_ids;
    return this.store.register({
      config: configOf([...below, layer.diffId]),
      references,
      ...(parent === undefined ? {} : { parent }),
    });
  }

  /** What is mounted of an image, one line a file. */
  treeOf(image: Digest): readonly string[] {
    const root = this.mount(image);
    try {
      return describeTree(root);
    } finally {
      this.unmount(root);
    }
  }

  async save(names: readonly string[], file: string): Promise<string> {
    await this.store.save(names, createWriteStream(this.path(file)));
    return this.path(file);
  }

  load(file: string): Promise<readonly ImageRecord[]> {
    return this.store.load(createReadStream(file));
  }

  /** Everything that the store has on the disk. */
  contents(): Readonly<Record<string, readonly string[]>> {
    const folders = ['layers', 'uppers', 'temporary', 'blobs/sha256'];
    return Object.fromEntries(folders.map((folder) => [folder, readdirSync(this.path('engine', folder))]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const target of this.#mounts.toReversed()) execFileSync('umount', ['--lazy', target]);
    await this.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function configOf(diffIds: readonly Digest[]): ImageConfig {
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05Z',
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((_, index) => ({ created: '2026-01-02T03:04:05Z', created_by: `step ${index}` })),
  };
}
