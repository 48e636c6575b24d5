import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { newId } from '../../../lib/id.ts';
import { digestOf, familiarName, type Descriptor, type Digest, type Reference } from '../../../lib/oci/index.ts';
import type { ImageStore, LayerBlob } from '../../image/index.ts';
import { discard } from './answers.ts';
import { checkedDigest } from './download.ts';
import { invalidAnswer } from './errors.ts';
import type { BlobSource, TransferEvent } from './face.ts';
import { gzipBlocks } from './gzip.ts';
import { allOrNone, type Limiter } from './limiter.ts';
import { OCI_LAYER, OCI_LAYER_GZIP } from './media-types.ts';
import type { Repository } from './repository.ts';
import type { RetryLimits } from './retry.ts';
import { hasBlob, mountBlob, uploadBlob } from './upload.ts';

export interface PushTarget {
  readonly images: ImageStore;
  readonly reference: Reference;
  readonly repository: Repository;
  readonly retry: RetryLimits;
  readonly limiter: Limiter;
  /** For compressed layers on their way. */
  readonly directory: string;
  readonly onProgress: (event: TransferEvent) => void;
  readonly signal?: AbortSignal;
}

/** As many compressed forms of a layer are asked for at most. */
const MAX_KNOWN = 4;

/** Brings layers to the repository, however that is done with the fewest bytes. */
export async function pushLayers(diffIds: readonly Digest[], o: PushTarget): Promise<readonly Descriptor[]> {
  const distinct = [...new Set(diffIds)];
  for (const digest of distinct) o.onProgress({ kind: 'layer', digest, state: 'waiting' });
  const pushed = await allOrNone(
    distinct.map((diffId) => (signal) => o.limiter.do(() => pushLayer(diffId, { ...o, signal }))),
    o.signal,
  );
  const byDiffId = new Map(distinct.map((diffId, index) => [diffId, pushed[index]!]));
  return diffIds.map((diffId) => byDiffId.get(diffId)!);
}

type LayerPush = PushTarget & { readonly signal: AbortSignal };

async function pushLayer(diffId: Digest, o: LayerPush): Promise<Descriptor> {
  o.signal.throwIfAborted();
  o.onProgress({ kind: 'layer', digest: diffId, state: 'preparing' });
  const known = knownForms(diffId, o);
  for (const blob of known) {
    if (!(await hasBlob(o.repository, blob.digest, o.signal))) continue;
    o.onProgress({ kind: 'layer', digest: diffId, state: 'exists' });
    return keepInMind(blob, o);
  }
  for (const { blob, from } of mountable(known, o)) {
    if (!(await mountBlob(o.repository, { digest: blob.digest, from, signal: o.signal }))) continue;
    o.onProgress({ kind: 'layer', digest: diffId, state: 'mounted', detail: from });
    return keepInMind(blob, o);
  }
  return await compressAndUpload(diffId, o);
}

/** Each compressed form once, those of this repository first; and the layer as it is, which our own registry has. */
function knownForms(diffId: Digest, { images, reference }: LayerPush): readonly LayerBlob[] {
  const here = `${reference.domain}/${reference.path}`;
  const all = images.blobsOf(diffId);
  const sorted = [...all.filter((it) => it.repository === here), ...all.filter((it) => it.repository !== here)];
  const forms = [...new Map(sorted.toReversed().map((it) => [it.digest, it])).values()]
    .toReversed()
    .slice(0, MAX_KNOWN);
  if (forms.some(({ digest }) => digest === diffId)) return forms;
  return [...forms, { diffId, digest: diffId, mediaType: OCI_LAYER, sizeBytes: images.layerTarBytes(diffId) }];
}

function mountable(known: readonly LayerBlob[], { images, reference }: LayerPush) {
  const prefix = `${reference.domain}/`;
  const froms = (blob: LayerBlob): readonly string[] =>
    images
      .blobsOf(blob.diffId)
      .filter(({ digest, repository }) => digest === blob.digest && repository?.startsWith(prefix) === true)
      .map(({ repository }) => repository!.slice(prefix.length))
      .filter((path) => path !== reference.path);
  return known.flatMap((blob) =>
    froms(blob)
      .slice(0, 1)
      .map((from) => ({ blob, from })),
  );
}

/** Repositories of this registry from which layers may be mounted. */
export function mountSources(
  diffIds: readonly Digest[],
  o: { images: ImageStore; reference: Reference },
): readonly string[] {
  const prefix = `${o.reference.domain}/`;
  const all = diffIds.flatMap((diffId) => o.images.blobsOf(diffId).map(({ repository }) => repository ?? ''));
  const paths = all.filter((it) => it.startsWith(prefix)).map((it) => it.slice(prefix.length));
  return [...new Set(paths)].filter((path) => path !== o.reference.path).slice(0, MAX_KNOWN);
}

async function compressAndUpload(diffId: Digest, o: LayerPush): Promise<Descriptor> {
  const path = join(o.directory, `${newId()}.gz`);
  try {
    const { digest, sizeBytes } = await compressTo(path, { ...o, diffId });
    const blob: LayerBlob = { diffId, digest, mediaType: OCI_LAYER_GZIP, sizeBytes };
    await uploadLayer(
      { digest, sizeBytes, open: (offset) => createReadStream(path, { start: offset }) },
      { ...o, diffId },
    );
    return keepInMind(blob, o);
  } finally {
    await rm(path, { force: true });
  }
}

async function uploadLayer(blob: BlobSource, o: LayerPush & { diffId: Digest }): Promise<void> {
  const event = { kind: 'layer', digest: o.diffId } as const;
  await uploadBlob({
    ...{ repository: o.repository, blob, retry: o.retry, signal: o.signal },
    onBytes: (bytes) => o.onProgress({ ...event, state: 'uploading', bytes, totalBytes: blob.sizeBytes }),
    onRetry: (detail) => o.onProgress({ ...event, state: 'retrying', detail }),
  });
  o.onProgress({ ...event, state: 'uploaded' });
}

async function compressTo(
  path: string,
  o: LayerPush & { diffId: Digest },
): Promise<{ digest: Digest; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const tar = new PassThrough({ highWaterMark: 1024 * 1024 });
  const spooled = pipeline(
    tar,
    gzipBlocks,
    async function* count(source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(path, { mode: 0o600 }),
    { signal: o.signal },
  );
  const [written, archived] = await Promise.allSettled([spooled, o.images.writeLayerTar(o.diffId, tar, o.signal)]);
  if (archived.status === 'rejected') throw archived.reason;
  if (written.status === 'rejected') throw written.reason;
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}

function keepInMind(blob: LayerBlob, { images, reference: { domain, path } }: LayerPush): Descriptor {
  images.rememberBlob({ ...blob, repository: `${domain}/${path}` });
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.sizeBytes };
}

/** A blob that is in memory; skipped where it is there. */
export async function pushBytes(bytes: Buffer, o: PushTarget): Promise<Digest> {
  const digest = digestOf(bytes);
  if (await hasBlob(o.repository, digest, o.signal)) return digest;
  const open = (offset: number): Readable => new PassThrough().end(bytes.subarray(offset));
  const { repository, retry, signal } = o;
  await uploadBlob({ repository, retry, blob: { digest, sizeBytes: bytes.length, open }, ...(signal && { signal }) });
  return digest;
}

/** @param target a tag or a digest */
export async function putManifest(
  o: Pick<PushTarget, 'repository' | 'reference' | 'signal'>,
  manifest: { target: string; mediaType: string; bytes: Buffer },
): Promise<Digest> {
  const { repository, reference, signal } = o;
  const digest = digestOf(manifest.bytes);
  const answer = await repository.call({
    method: 'PUT',
    at: `manifests/${manifest.target}`,
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
    expect: [201],
    what: `the manifest ${familiarName(reference)}:${manifest.target}`,
    ...(signal === undefined ? {} : { signal }),
  });
  await discard(answer.body);
  const said = checkedDigest(answer.headers['docker-content-digest'] as string | undefined);
  if (said === undefined || said === digest) return digest;
  throw invalidAnswer(repository.registry, `it took the manifest ${digest} for ${said}`);
}
