import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../lib/id.ts';
import type { Digest } from '../../../lib/oci/index.ts';
import type { LayerBlob } from '../../image/index.ts';
import type { BlobSource } from './face.ts';
import { type GrowingUpload, startGrowingUpload } from './growing-upload.ts';
import { BLOCK_BYTES, createCompressor } from './gzip.ts';
import { OCI_LAYER_GZIP } from './media-types.ts';
import type { LayerPush } from './push-target.ts';
import { uploadBlob } from './upload.ts';

/** Smaller layers are sent whole when they are compressed: that takes one request less. */
const GROWING_FROM_BYTES = 8 * 1024 * 1024;

type Compressing = LayerPush & { readonly diffId: Digest };

/**
 * A layer is sent while it is compressed. What is compressed stands in a file, too, until the registry has it: when the
 * connection breaks, the rest comes from there.
 */
export async function compressAndUpload(diffId: Digest, target: LayerPush): Promise<LayerBlob> {
  const o = { ...target, diffId };
  const path = join(o.directory, `${newId()}.gz`);
  try {
    const upload = await growingUpload(o);
    const { digest, sizeBytes } = await compressTo(path, upload, o);
    const error = upload === undefined ? undefined : await upload.finish(digest);
    if (upload === undefined || error !== undefined) {
      const begun = upload && { location: upload.location, error };
      const blob = { digest, sizeBytes, open: (offset: number) => createReadStream(path, { start: offset }) };
      await uploadWhole(blob, { ...o, begun });
    }
    o.onProgress({ kind: 'layer', digest: diffId, state: 'uploaded' });
    return { diffId, digest, mediaType: OCI_LAYER_GZIP, sizeBytes };
  } finally {
    await rm(path, { force: true });
  }
}

async function growingUpload({ diffId, images, repository, signal }: Compressing): Promise<GrowingUpload | undefined> {
  if (images.layerTarBytes(diffId) < GROWING_FROM_BYTES) return undefined;
  return await startGrowingUpload({ repository, signal, what: `the upload of the layer ${diffId}` });
}

async function uploadWhole(
  blob: BlobSource,
  o: Compressing & { readonly begun: { readonly location: URL; readonly error: unknown } | undefined },
): Promise<void> {
  const event = { kind: 'layer', digest: o.diffId } as const;
  await uploadBlob({
    ...{ repository: o.repository, blob, retry: o.retry, signal: o.signal },
    ...(o.begun && { begun: o.begun }),
    onBytes: (bytes) => o.onProgress({ ...event, state: 'uploading', bytes, totalBytes: blob.sizeBytes }),
    onRetry: (detail) => o.onProgress({ ...event, state: 'retrying', detail }),
  });
}

interface Compressed {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

async function compressTo(path: string, upload: GrowingUpload | undefined, o: Compressing): Promise<Compressed> {
  await using file = await open(path, 'wx', 0o600);
  try {
    return await spool(file, upload, o);
  } catch (error) {
    await upload?.breakOff();
    throw error;
  }
}

async function spool(file: FileHandle, upload: GrowingUpload | undefined, o: Compressing): Promise<Compressed> {
  const { images, diffId, pool, signal, onProgress } = o;
  const totalBytes = images.layerTarBytes(diffId);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let blocks = 0;
  const take = async (member: Uint8Array): Promise<void> => {
    hash.update(member);
    sizeBytes += member.length;
    await Promise.all([file.writeFile(member), upload?.write(member)]);
    const bytes = Math.min(++blocks * BLOCK_BYTES, totalBytes);
    if (upload !== undefined) onProgress({ kind: 'layer', digest: diffId, state: 'uploading', bytes, totalBytes });
  };
  const compressor = createCompressor({ pool, signal, take });
  await images.copyLayerTar(diffId, compressor, signal);
  await compressor.end();
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}
