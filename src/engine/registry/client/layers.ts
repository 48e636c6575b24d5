import { Readable } from 'node:stream';
import { UserError } from '../../../lib/errors.ts';
import type { Digest } from '../../../lib/oci/index.ts';
import { roomIn } from '../../../lib/room.ts';
import { decompressed, type ImageStore } from '../../image/index.ts';
import type { LayerDescriptor } from './documents.ts';
import { blobBytes, fromFirst } from './download.ts';
import { invalidAnswer } from './errors.ts';
import type { TransferEvent } from './face.ts';
import { allOrNone, type Limiter } from './limiter.ts';
import { layerTypeOf } from './media-types.ts';
import type { Repository } from './repository.ts';
import type { Source } from './resolve.ts';

export interface LayersFetch extends Source {
  readonly images: ImageStore;
  readonly limiter: Limiter;
  /** Of a layer's archive; what the disk has room for when absent. */
  readonly maxLayerBytes: number | undefined;
  readonly directory: string;
  readonly onProgress: (event: TransferEvent) => void;
  /** Somebody else is bringing it, too. */
  isShared(diffId: Digest): boolean;
}

interface WantedLayer {
  readonly layer: LayerDescriptor;
  readonly diffId: Digest;
}

/**
 * Brings layers into the store that are not there yet; they are kept for an hour for the image to come. Of an image
 * that turns out to be broken or hostile nothing stays.
 */
export async function fetchLayers(
  layers: readonly LayerDescriptor[],
  o: LayersFetch & { diffIds: readonly Digest[] },
): Promise<void> {
  const wanted = distinct(layers, o.diffIds);
  const present = new Set(o.images.holdLayers(wanted.map(({ diffId }) => diffId)));
  for (const { layer, diffId } of wanted) {
    o.onProgress({ kind: 'layer', digest: layer.digest, state: present.has(diffId) ? 'exists' : 'waiting' });
  }
  const missing = wanted.filter(({ diffId }) => !present.has(diffId));
  const { bytes: roomBytes } = await roomIn(o.directory);
  const [maxBytes, budget] = [o.maxLayerBytes ?? roomBytes, createBudget(roomBytes)];
  try {
    await allOrNone(
      missing.map((it) => (signal) => o.limiter.do(() => fetchLayer(it, { ...o, maxBytes, budget, signal }))),
      o.signal,
    );
  } catch (error) {
    if (isBroken(error)) await o.images.dropLayers(missing.map(({ diffId }) => diffId).filter((it) => !o.isShared(it)));
    throw error;
  }
  for (const it of wanted) remember(it, o);
}

/** Which blob it is, and who has it: it need not be compressed again, and can be mounted from there. */
function remember({ layer, diffId }: WantedLayer, { images, reference: { domain, path } }: LayersFetch): void {
  const mediaType = layerTypeOf(layer.mediaType);
  if (mediaType === undefined || layer.urls !== undefined) return;
  images.rememberBlob({
    diffId,
    digest: layer.digest,
    mediaType,
    sizeBytes: layer.size,
    repository: `${domain}/${path}`,
  });
}

function distinct(layers: readonly LayerDescriptor[], diffIds: readonly Digest[]): readonly WantedLayer[] {
  const byDiffId = new Map(layers.map((layer, index) => [diffIds[index]!, layer]));
  return [...byDiffId].map(([diffId, layer]) => ({ layer, diffId }));
}

/** What it sent is wrong, and would be wrong again. */
function isBroken(error: unknown): boolean {
  return error instanceof UserError && ['registry-invalid', 'archive-invalid'].includes(error.code);
}

/** What the layers of one image may take of the disk together. */
interface Budget {
  /** @returns false where there is not so much */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

function createBudget(bytes: number): Budget {
  let left = bytes;
  return {
    take: (wanted) => (left -= wanted) >= 0,
    giveBack: (unused) => void (left += unused),
  };
}

type FetchOptions = LayersFetch & {
  readonly maxBytes: number;
  readonly budget: Budget;
  readonly signal: AbortSignal;
};

async function fetchLayer({ layer, diffId }: WantedLayer, o: FetchOptions): Promise<void> {
  o.signal.throwIfAborted();
  await fromFirst(o.repositories, async (repository) => {
    const open = async (): Promise<Readable> =>
      Readable.from(plainBytes({ layer, repository, o }), { objectMode: false, highWaterMark: 1 });
    await o.images.addLayer(open, { diffId, maxBytes: o.maxBytes, signal: o.signal });
  });
  o.onProgress({ kind: 'layer', digest: layer.digest, state: 'unpacked' });
}

/** The layer's archive; it ends only when the blob was what its manifest promises, to its last byte. */
async function* plainBytes(from: {
  layer: LayerDescriptor;
  repository: Repository;
  o: FetchOptions;
}): AsyncGenerator<Buffer> {
  const { layer, repository, o } = from;
  let isVerified = false;
  let taken = 0;
  async function* compressed(): AsyncGenerator<Buffer> {
    yield* blobBytes({
      ...{ repository, blob: layer, retry: o.retry, signal: o.signal },
      onBytes: (bytes) =>
        o.onProgress({ kind: 'layer', digest: layer.digest, state: 'downloading', bytes, totalBytes: layer.size }),
      onRetry: (detail) => o.onProgress({ kind: 'layer', digest: layer.digest, state: 'retrying', detail }),
    });
    isVerified = true;
    o.onProgress({ kind: 'layer', digest: layer.digest, state: 'downloaded' });
  }
  try {
    for await (const chunk of await decompressed(Readable.from(compressed(), { objectMode: false }), o.signal)) {
      taken += (chunk as Buffer).length;
      if (!o.budget.take((chunk as Buffer).length)) throw noRoom(repository.registry);
      yield chunk as Buffer;
    }
  } catch (error) {
    throw isDecompressionError(error)
      ? invalidAnswer(repository.registry, `the layer ${layer.digest} is damaged`)
      : error;
  } finally {
    if (!isVerified) o.budget.giveBack(taken);
  }
  if (!isVerified) throw invalidAnswer(repository.registry, `the layer ${layer.digest} goes on after its end`);
}

function noRoom(registry: string): Error {
  return invalidAnswer(registry, 'its layers are larger than what the disk has room for');
}

function isDecompressionError(error: unknown): boolean {
  return error instanceof Error && /^Z(?:STD)?_/.test(String((error as NodeJS.ErrnoException).code));
}
