import { chmodSync, createReadStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Digest } from '../../lib/oci/index.ts';
import { createDurability, type Durability } from './durability.ts';
import { layerDamaged, layerNotFound } from './errors.ts';
import type { Filling, Layer, Upper } from './face.ts';
import { fillAndDigest } from './fill-layer.ts';
import { writeByRecipe } from './layer-recipe.ts';
import { createLeaving, type Leaving } from './leaving.ts';
import { writeLayerTar, type LayerTarFigures } from './layer-tar.ts';
import {
  childrenOf,
  makeTemporary,
  moveToTemporary,
  removeTrees,
  shortName,
  type Places,
  type TemporaryDirectory,
} from './places.ts';
import type { ImageRecords, LayerRow } from './records.ts';
import { createDigestSink, type Sink } from './sink.ts';
import { openXattrReader, type XattrReader } from './xattr.ts';

/** A layer that nobody has registered in an image yet is kept this long. */
const HOLD_MS = 3_600_000;

/** How a layer's archive is made again: from its folder alone, from the folder by a recipe, or it is kept as it came. */
export type ArchiveForm =
  | { readonly kind: 'folder' }
  | { readonly kind: 'recipe' | 'original'; /** A file that may be taken. */ readonly path: string };

/** A folder that is to become a layer. */
export interface NewLayer {
  readonly upper: Upper;
  /** Verified. */
  readonly diffId: Digest;
  readonly figures: LayerTarFigures;
  readonly form: ArchiveForm;
}

/** What an archive that came from elsewhere was unpacked to. */
export interface Unpacked {
  readonly upper: Upper;
  /** Verified. */
  readonly diffId: Digest;
  /** The archive as a file of its own, which may be taken; asked for only where the folder does not give its bytes. */
  original(): Promise<string>;
}

/** Layers on the disk and their rows. */
export class LayerStore {
  readonly #places: Places;
  readonly #records: ImageRecords;
  readonly #log: Log;
  readonly #durability: Durability;
  readonly #leaving: Leaving;
  readonly #xattrs: XattrReader | undefined = openXattrReader();
  /** Sealed or found again for an image that is still to be registered: when. */
  readonly #holds = new Map<Digest, number>();
  readonly #retainers: ((diffId: Digest) => boolean)[] = [];

  constructor(o: { places: Places; records: ImageRecords; log: Log }) {
    this.#places = o.places;
    this.#records = o.records;
    this.#log = o.log;
    this.#leaving = createLeaving({ directory: o.places.leaving, log: o.log });
    const onSynced = (diffIds: readonly Digest[]): void => o.records.markSynced(diffIds);
    this.#durability = createDurability({ directory: o.places.layers, log: o.log, onSynced });
  }

  find(diffId: Digest): Layer | undefined {
    const row = this.#records.layer(diffId);
    return row === undefined ? undefined : this.#layerOf(row);
  }

  get(diffId: Digest): Layer {
    const layer = this.find(diffId);
    if (layer === undefined) throw layerNotFound(diffId);
    return layer;
  }

  tarBytes(diffId: Digest): number {
    const row = this.#records.layer(diffId);
    if (row === undefined) throw layerNotFound(diffId);
    return row.tarBytes;
  }

  async newUpper(): Promise<Upper> {
    const parent = join(this.#places.uppers, shortName());
    const upper: Upper = { directory: join(parent, 'upper'), workDirectory: join(parent, 'work') };
    mkdirSync(parent, { mode: 0o700 }); // three calls of a few microseconds: a thread would take longer
    mkdirSync(upper.directory);
    mkdirSync(upper.workDirectory);
    chmodSync(upper.directory, 0o755);
    return upper;
  }

  temporary(): Promise<TemporaryDirectory> {
    return makeTemporary(this.#places);
  }

  async isEmpty(upper: Upper): Promise<boolean> {
    return (await readdir(upper.directory)).length === 0;
  }

  async discard(upper: Upper): Promise<void> {
    const parent = dirname(upper.directory);
    if (existsSync(upper.directory) && (await this.isEmpty(upper))) this.#leaving.take(parent);
    else await this.#remove([parent]);
  }

  async seal(upper: Upper, signal?: AbortSignal): Promise<Layer> {
    const sink = createDigestSink();
    const figures = await this.#writeFolder(upper.directory, { sink, ...(signal === undefined ? {} : { signal }) });
    return this.keep({ upper, diffId: sink.digest(), figures, form: { kind: 'folder' } });
  }

  async fillAndSeal(upper: Upper, filling: Filling): Promise<Layer> {
    const filled = await fillAndDigest(upper.directory, filling, this.#xattrs);
    return await (filled
      ? this.keep({ upper, ...filled, form: { kind: 'folder' } })
      : this.seal(upper, filling.signal));
  }

  /** Keeps an unpacked archive; its bytes too, where they cannot be made from the folder. */
  async adopt(unpacked: Unpacked, signal?: AbortSignal): Promise<Layer> {
    const { upper, diffId } = unpacked;
    const sink = createDigestSink();
    const figures = await this.#writeFolder(upper.directory, { sink, ...(signal === undefined ? {} : { signal }) });
    if (sink.digest() === diffId) return this.keep({ upper, diffId, figures, form: { kind: 'folder' } });
    const path = await unpacked.original();
    const { size: tarBytes } = await stat(path);
    return this.keep({ upper, diffId, figures: { ...figures, tarBytes }, form: { kind: 'original', path } });
  }

  /** From here to the row nothing waits: of two equal layers one is kept. */
  async keep(layer: NewLayer): Promise<Layer> {
    this.hold(layer.diffId);
    const existing = this.find(layer.diffId);
    if (existing === undefined) this.#insert(layer);
    await this.#removePair(layer.upper, { isMoved: existing === undefined });
    return existing ?? this.get(layer.diffId);
  }

  /** The image that needed these is registered. */
  release(diffIds: readonly Digest[]): void {
    for (const diffId of diffIds) this.#holds.delete(diffId);
  }

  /** An image that is about to be registered needs this one. */
  hold(diffId: Digest): void {
    this.#holds.set(diffId, performance.now());
  }

  /**
   * Writes a layer's archive.
   * @throws UserError `layer-damaged` when it is not what the diffID says; the sink has bytes by then
   */
  async writeTar(diffId: Digest, sink: Sink, signal?: AbortSignal): Promise<void> {
    const row = this.#records.layer(diffId);
    if (row === undefined) throw layerNotFound(diffId);
    const digest = createDigestSink(sink);
    const directory = this.#places.layer(row.directory);
    if (row.hasOriginal) await copyFile(this.#places.blob(diffId), digest);
    else if (row.hasRecipe) await writeByRecipe(this.#places.recipe(diffId), { directory, sink: digest });
    else await this.#writeFolder(directory, { sink: digest, ...(signal === undefined ? {} : { signal }) });
    if (digest.digest() !== diffId) throw layerDamaged(diffId);
  }

  /** Deletes those of the layers that no image has and nobody retains. @returns bytes that were freed */
  async removeUnused(diffIds: readonly Digest[]): Promise<number> {
    const used = new Set(this.#records.images().flatMap((image) => image.config.rootfs.diff_ids));
    const rows = diffIds
      .filter((diffId) => !used.has(diffId) && !this.#isNeeded(diffId))
      .map((diffId) => this.#records.layer(diffId))
      .filter((row) => row !== undefined);
    const away: string[] = [];
    for (const row of rows) {
      this.#records.deleteLayer(row.diffId);
      away.push(...moveToTemporary(this.#places, this.#pathsOf(row)));
    }
    await this.#remove(away);
    return rows.reduce((sum, row) => sum + row.sizeBytes + (row.hasOriginal ? row.tarBytes : 0), 0);
  }

  /** Somebody other than images needs layers, too. */
  retain(isNeeded: (diffId: Digest) => boolean): void {
    this.#retainers.push(isNeeded);
  }

  /** Deletes what no image has and nobody retains. @returns bytes that were freed */
  collect(): Promise<number> {
    return this.removeUnused(this.#records.layers().map((row) => row.diffId));
  }

  /** Removes what a crash left; gives the layers whose content is lost, without their rows. */
  async sweep(): Promise<readonly Digest[]> {
    const rows = this.#records.layers();
    const known = new Set(rows.flatMap((row) => this.#pathsOf(row)));
    const found = [...(await childrenOf(this.#places.layers)), ...(await childrenOf(this.#places.blobs))];
    const { uppers, temporary, leaving } = this.#places;
    const leftovers = await Promise.all([uppers, temporary, leaving].map(childrenOf));
    await this.#remove([...leftovers.flat(), ...found.filter((path) => !known.has(path))]);
    const lost: Digest[] = [];
    for (const row of rows) {
      if (await this.#isWhole(row)) continue;
      this.#log.warn({ diffId: row.diffId }, 'a layer lost content in a power failure and is dropped');
      lost.push(row.diffId);
      this.#records.deleteLayer(row.diffId);
      await this.#remove(this.#pathsOf(row));
    }
    return lost;
  }

  async close(): Promise<void> {
    await Promise.all([this.#durability.close(), this.#leaving.close()]);
  }

  async #isWhole(row: LayerRow): Promise<boolean> {
    if (!this.#pathsOf(row).every((path) => existsSync(path))) return false;
    if (row.unsyncedBoot === undefined) return true;
    if (row.unsyncedBoot !== this.#durability.bootId && !(await this.#isVerified(row.diffId))) return false;
    this.#durability.note(row.diffId);
    return true;
  }

  async #isVerified(diffId: Digest): Promise<boolean> {
    try {
      await this.writeTar(diffId, { write() {}, flush: () => Promise.resolve() });
      return true;
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  }

  #insert({ upper, diffId, figures, form }: NewLayer): void {
    const directory = shortName();
    if (form.kind !== 'folder') renameSync(form.path, this.#places[placeOf[form.kind]](diffId));
    renameSync(upper.directory, this.#places.layer(directory));
    this.#records.insertLayer({
      ...{ diffId, directory, sizeBytes: figures.contentBytes, tarBytes: figures.tarBytes },
      hasOriginal: form.kind === 'original',
      hasRecipe: form.kind === 'recipe',
      unsyncedBoot: this.#durability.bootId,
      createdAt: Date.now(),
    });
    this.#durability.note(diffId);
  }

  async #removePair(upper: Upper, { isMoved }: { isMoved: boolean }): Promise<void> {
    if (isMoved) this.#leaving.take(dirname(upper.directory));
    else await this.discard(upper);
  }

  /** What cannot be removed now (somebody has mounted something in it) is no reason to fail: the next open tries again. */
  async #remove(paths: readonly string[]): Promise<void> {
    try {
      await removeTrees(paths);
    } catch (error) {
      this.#log.warn({ paths, error: messageOf(error) }, 'leftovers of layers cannot be removed yet');
    }
  }

  #isNeeded(diffId: Digest): boolean {
    const since = this.#holds.get(diffId);
    const isHeld = since !== undefined && performance.now() - since < HOLD_MS;
    return isHeld || this.#retainers.some((isNeeded) => isNeeded(diffId));
  }

  #pathsOf(row: LayerRow): readonly string[] {
    const directory = this.#places.layer(row.directory);
    if (row.hasOriginal) return [directory, this.#places.blob(row.diffId)];
    return row.hasRecipe ? [directory, this.#places.recipe(row.diffId)] : [directory];
  }

  #layerOf(row: LayerRow): Layer {
    return { diffId: row.diffId, directory: this.#places.layer(row.directory), sizeBytes: row.sizeBytes };
  }

  #writeFolder(directory: string, o: { sink: Sink; signal?: AbortSignal }): Promise<LayerTarFigures> {
    return writeLayerTar(directory, { ...o, xattrs: this.#xattrs });
  }
}

const placeOf = { original: 'blob', recipe: 'recipe' } as const;

async function copyFile(path: string, sink: Sink): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    sink.write(chunk as Buffer);
    await sink.flush();
  }
}
