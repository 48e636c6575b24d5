import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { systemCodeOf } from '../../lib/errors.ts';
import { platformOfNode, type Digest, type ImageConfig } from '../../lib/oci/index.ts';
import { parseArchivedConfig, readArchiveContents, type ArchivedBlob, type ArchivedImage } from './archive-contents.ts';
import { spoolArchive, type SpooledArchive, type SpooledFile } from './archive-spool.ts';
import { decompressed } from './decompress.ts';
import type { ImageRecord, ImageStore, LoadOptions } from './face.ts';
import type { Images } from './images.ts';
import type { LayerStore } from './layers.ts';
import { invalidArchive } from './tar-parser.ts';
import { textOf } from './tar-entry.ts';

const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

interface LoadContext extends LoadOptions {
  readonly layers: LayerStore;
  readonly images: Images;
  readonly archive: SpooledArchive;
  readonly addLayer: ImageStore['addLayer'];
}

/** An image whose layers are all in the store. */
interface ReadyImage {
  readonly bytes: Buffer;
  readonly diffIds: readonly Digest[];
  readonly references: readonly string[];
}

/**
 * `docker load`. The archive is written to numbered files first; then each layer is unpacked and verified; images
 * are registered only when all of them are complete, so a broken archive leaves nothing behind.
 */
export async function loadImages(
  tar: Readable,
  o: LoadOptions & { layers: LayerStore; images: Images; addLayer: ImageStore['addLayer'] },
): Promise<readonly ImageRecord[]> {
  await using temporary = await o.layers.temporary();
  const added: Digest[] = [];
  try {
    const archive = await spoolArchive(await decompressed(tar, o.signal), temporary.path);
    const context: LoadContext = { ...o, archive };
    const ready = await prepareImages(context, added);
    return ready.map((image) => registerLoaded(image, o.images));
  } catch (error) {
    o.layers.release(added);
    await o.layers.removeUnused(added);
    throw isDecompressionError(error) ? invalidArchive('its compressed data is damaged') : error;
  }
}

async function prepareImages(context: LoadContext, added: Digest[]): Promise<readonly ReadyImage[]> {
  const read = (name: string): Promise<Buffer | undefined> => context.archive.readDocument(name);
  const contents = await readArchiveContents(read, platformOfNode(process.arch).architecture);
  const ready: ReadyImage[] = [];
  for (const image of contents) ready.push(await prepareImage(image, { context, added }));
  return ready;
}

async function prepareImage(
  image: ArchivedImage,
  { context, added }: { context: LoadContext; added: Digest[] },
): Promise<ReadyImage> {
  const { path, size } = fetchBlob(context.archive, image.config);
  if (size > MAX_CONFIG_BYTES) throw invalidArchive(`"${textOf(image.config.name)}" is larger than 8 MiB`);
  const bytes = await readFile(path);
  const { diffIds } = parseArchivedConfig(bytes, image.layers.length);
  const files = image.layers.map((layer) => fetchBlob(context.archive, layer));
  for (const [index, diffId] of diffIds.entries()) {
    context.signal?.throwIfAborted();
    if (await loadLayer(files[index]!, { diffId, context })) added.push(diffId);
  }
  return { bytes, diffIds, references: image.references };
}

/** @returns whether the layer is new */
async function loadLayer(
  file: SpooledFile,
  { diffId, context }: { diffId: Digest; context: LoadContext },
): Promise<boolean> {
  const { layers, onProgress, signal } = context;
  layers.hold(diffId);
  if (layers.find(diffId) !== undefined) {
    onProgress?.({ diffId, state: 'exists' });
    return false;
  }
  onProgress?.({ diffId, state: 'unpacking' });
  const open = (): Promise<Readable> => decompressed(createReadStream(file.path), signal);
  await context.addLayer(open, { diffId, ...(signal === undefined ? {} : { signal }) });
  onProgress?.({ diffId, state: 'done' });
  return true;
}

function fetchBlob(archive: SpooledArchive, blob: ArchivedBlob): SpooledFile {
  const file = archive.find(blob.name);
  if (file === undefined) throw invalidArchive(`"${textOf(blob.name)}" is missing`);
  if (blob.size !== undefined && blob.size !== file.size) {
    throw invalidArchive(`"${blob.name}" should have ${blob.size} bytes and has ${file.size}`);
  }
  if (blob.digest !== undefined && blob.digest !== file.digest) {
    throw invalidArchive(`"${blob.name}" should be ${blob.digest} and is ${file.digest}`);
  }
  return file;
}

function registerLoaded({ bytes, diffIds, references }: ReadyImage, images: Images): ImageRecord {
  const config = { rootfs: { type: 'layers', diff_ids: diffIds } } as unknown as ImageConfig;
  return images.registerBytes(bytes, { config, references });
}

/** zlib's codes, of gzip (`Z_…`) and zstd (`ZSTD_…`). */
function isDecompressionError(error: unknown): boolean {
  return /^Z(?:STD)?_/.test(systemCodeOf(error) ?? '');
}
