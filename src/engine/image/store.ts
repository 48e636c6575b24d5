import type { Readable } from 'node:stream';
import { platformOfNode, type ExecutionConfig, type ImageConfig } from '../../lib/oci/index.ts';
import { type Attachments, openAttachments } from './attachments.ts';
import { createLayerAdder, writeArchiveTo } from './add-layer.ts';
import { recipeOf } from './bootstrap-catalog.ts';
import { writeBootstrapRoot } from './bootstrap.ts';
import { decompressed } from './decompress.ts';
import type {
  BootstrapOptions,
  ImageEvent,
  ImageRecord,
  ImageStore,
  ImageStoreOptions,
  ImportOptions,
  Layer,
} from './face.ts';
import { Images, tagOf } from './images.ts';
import { LayerStore } from './layers.ts';
import { loadImages } from './load.ts';
import { makePlaces } from './places.ts';
import { ImageRecords } from './records.ts';
import type { Snapshot } from './snapshot.ts';
import { saveImages } from './save.ts';
import { SharedWork } from './shared-work.ts';
import { unpackLayer } from './unpack.ts';

/** Opens the store: what a crash left half-made is removed, what a power cut damaged is dropped. */
export async function openImageStore(o: ImageStoreOptions): Promise<ImageStore> {
  const places = await makePlaces(o.directory);
  const records = new ImageRecords(o.database);
  const layers = new LayerStore({ places, records, log: o.log });
  const listeners: ((event: ImageEvent) => void)[] = [];
  const announce = (event: Omit<ImageEvent, 'at'>): void => {
    for (const listener of listeners) listener({ ...event, at: new Date() });
  };
  const images = new Images({ records, layers, announce });
  const lost = await layers.sweep();
  for (const id of images.dropWithout(lost)) o.log.warn({ id }, 'an image lost a layer and is dropped');
  const attachments = openAttachments(o.database);
  const onEvent = (listener: (event: ImageEvent) => void): void => void listeners.push(listener);
  return createStore({ layers, images, records, attachments, announce, onEvent });
}

interface Parts {
  readonly layers: LayerStore;
  readonly images: Images;
  readonly records: ImageRecords;
  readonly attachments: Attachments;
  readonly announce: (event: Omit<ImageEvent, 'at'>) => void;
  readonly onEvent: (listener: (event: ImageEvent) => void) => void;
}

function createStore(parts: Parts): ImageStore {
  const { layers, images, records, announce, onEvent } = parts;
  const bootstraps = new SharedWork();
  const addLayer = createLayerAdder(layers);
  return {
    list: () => images.list(),
    find: (nameOrId) => images.find(nameOrId),
    get: (nameOrId) => images.get(nameOrId),
    layersOf: (id) => images.get(id).config.rootfs.diff_ids.map((diffId) => layers.get(diffId)),
    findLayer: (diffId) => layers.find(diffId),
    childrenOf: (id) => images.childrenOf(id),
    history: (nameOrId) => images.history(nameOrId),
    tag: (id, reference) => images.tag(id, reference),
    addRepoDigest: (id, reference) => images.addRepoDigest(id, reference),
    remove: (nameOrId, options) => images.remove(nameOrId, options),
    prune: (options) => images.prune(options),
    newUpper: () => layers.newUpper(),
    retainLayers: (isNeeded) => layers.retain(isNeeded),
    collectLayers: () => layers.collect(),
    isEmpty: (upper) => layers.isEmpty(upper),
    seal: (upper, signal) => layers.seal(upper, signal),
    fillAndSeal: (upper, filling) => layers.fillAndSeal(upper, filling),
    discard: (upper) => layers.discard(upper),
    register: async (request) => images.register(request),
    layerTarBytes: (diffId) => layers.tarBytes(diffId),
    copyLayerTar: (diffId, sink, signal) => layers.writeTar(diffId, sink, signal),
    writeLayerTar: (diffId, sink, signal) => writeArchiveTo(sink, { diffId, layers, signal }),
    addLayer,
    holdLayers(diffIds) {
      for (const diffId of diffIds) layers.hold(diffId);
      return diffIds.filter((diffId) => layers.find(diffId) !== undefined);
    },
    async dropLayers(diffIds) {
      layers.release(diffIds);
      await layers.removeUnused(diffIds);
    },
    registerConfig: async (bytes, options) => images.registerConfig(bytes, options),
    configBytes: (id) => images.configBytes(id),
    rememberBlob: (blob) => records.insertBlob(blob),
    ...parts.attachments,
    blobsOf: (diffId) => records.blobsOf(diffId),
    importRoot: (tar, options) => importRoot(tar, { ...parts, options }),
    async load(tar, options) {
      const loaded = await loadImages(tar, { ...options, layers, images, addLayer });
      for (const image of loaded) announce({ kind: 'load', id: image.id, name: image.references[0] ?? image.id });
      return loaded;
    },
    save: (names, sink, { withAttachments = false, ...rest } = {}) => {
      const attachmentsOf = withAttachments ? parts.attachments.attachmentsOf : undefined;
      return saveImages(names, sink, { images, layers, attachmentsOf, ...rest });
    },
    bootstrap(reference, options) {
      const { at, mirror } = options.snapshot ?? {};
      const key = [tagOf(reference), at?.toISOString(), mirror].join(' ');
      return bootstraps.do(key, {
        ...options,
        work: (o) => bootstrap(reference, { ...parts, ...o, snapshot: options.snapshot }),
      });
    },
    onEvent,
    close: () => layers.close(),
  };
}

async function importRoot(tar: Readable, o: Parts & { options: ImportOptions }): Promise<ImageRecord> {
  const { signal, references, config, message } = o.options;
  const layer = await sealRoot(o.layers, async (directory) => {
    await unpackLayer(await decompressed(tar, signal), { directory, ...(signal === undefined ? {} : { signal }) });
  });
  const image = registerRoot(o.images, {
    layer,
    config: config ?? {},
    references: references ?? [],
    history: { comment: message ?? 'Imported from -' },
  });
  o.announce({ kind: 'import', id: image.id, name: image.references[0] ?? image.id });
  return image;
}

async function bootstrap(
  reference: string,
  o: Parts & Pick<BootstrapOptions, 'onOutput'> & { signal: AbortSignal; snapshot: Snapshot | undefined },
): Promise<ImageRecord> {
  const recipe = recipeOf(reference);
  const day = recipe.kind === 'debootstrap' ? recipe.snapshotAt : undefined;
  const snapshot = o.snapshot ?? (day === undefined ? undefined : { at: day });
  await using temporary = await o.layers.temporary();
  const layer = await sealRoot(o.layers, (root) => {
    return writeBootstrapRoot(recipe, {
      root,
      temporary: temporary.path,
      snapshot,
      onOutput: (line) => o.onOutput(line),
      signal: o.signal,
    });
  });
  const when = snapshot === undefined ? '' : ` --snapshot ${snapshot.at.toISOString()}`;
  const history = { created_by: `bascule image bootstrap ${tagOf(reference)}${when}` };
  const root = { layer, config: recipe.config, references: [reference], history };
  const image = registerRoot(o.images, root, snapshot?.at);
  o.announce({ kind: 'import', id: image.id, name: tagOf(reference) });
  return image;
}

/** A layer of what `fill` writes; nothing stays when it fails. */
async function sealRoot(layers: LayerStore, fill: (directory: string) => Promise<void>): Promise<Layer> {
  const upper = await layers.newUpper();
  try {
    await fill(upper.directory);
    return await layers.seal(upper);
  } catch (error) {
    await layers.discard(upper);
    throw error;
  }
}

interface NewRoot {
  readonly layer: Layer;
  readonly config: ExecutionConfig;
  readonly references: readonly string[];
  readonly history: { readonly created_by?: string; readonly comment?: string };
}

function registerRoot(images: Images, root: NewRoot, at = new Date()): ImageRecord {
  const created = at.toISOString();
  const config: ImageConfig = {
    created,
    ...platformOfNode(process.arch),
    config: root.config,
    rootfs: { type: 'layers', diff_ids: [root.layer.diffId] },
    history: [{ created, ...root.history }],
  };
  return images.register({ config, references: root.references });
}
