import { availableParallelism } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import { digestOf, familiarName, type Descriptor, type Digest, type Reference } from '../../../lib/oci/index.ts';
import { openThreadPool } from '../../../lib/thread-pool.ts';
import type { ImageStore, LayerBlob } from '../../image/index.ts';
import { discard } from './answers.ts';
import { checkedDigest } from './download.ts';
import { invalidAnswer } from './errors.ts';
import { compressAndUpload } from './compress-layer.ts';
import { gzipMember } from './gzip-member.ts';
import { allOrNone } from './limiter.ts';
import { OCI_LAYER } from './media-types.ts';
import type { LayerPush, PushTarget } from './push-target.ts';
import { hasBlob, mountBlob, uploadBlob } from './upload.ts';

/** As many compressed forms of a layer are asked for at most. */
const MAX_KNOWN = 4;

/** Brings layers to the repository, however that is done with the fewest bytes. */
export async function pushLayers(diffIds: readonly Digest[], o: PushTarget): Promise<readonly Descriptor[]> {
  const distinct = [...new Set(diffIds)];
  for (const digest of distinct) o.onProgress({ kind: 'layer', digest, state: 'waiting' });
  await using pool = openThreadPool(gzipMember, availableParallelism());
  const pushed = await allOrNone(
    distinct.map((diffId) => (signal) => o.limiter.do(() => pushLayer(diffId, { ...o, pool, signal }))),
    o.signal,
  );
  const byDiffId = new Map(distinct.map((diffId, index) => [diffId, pushed[index]!]));
  return diffIds.map((diffId) => byDiffId.get(diffId)!);
}

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
  return keepInMind(await compressAndUpload(diffId, o), o);
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
