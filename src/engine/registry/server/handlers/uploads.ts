import type { BlobRow } from '../garbage.ts';
import { isContentDigest, type ContentDigest } from '../digests.ts';
import { refusal, RegistryError } from '../errors.ts';
import { answerEmpty, type Exchange, type Parts } from '../exchange.ts';
import { chunkRange, progressRange } from '../ranges.ts';
import { digestFrom } from '../routes.ts';
import type { Chunk } from '../uploads.ts';

/** `POST …/blobs/uploads/`: begins an upload, mounts a blob, or takes it whole (end-4a, end-4b, end-11). */
export async function postUpload(parts: Parts, exchange: Exchange, repository: string): Promise<void> {
  const mounted = await mount(parts, exchange, repository);
  if (mounted !== undefined) return answerBlob(exchange, { repository, digest: mounted.digest });
  const digest = exchange.query.get('digest');
  const id = await parts.uploads.begin(repository);
  if (digest === null) return answerProgress(exchange, { status: 202, repository, id, offset: 0 });
  try {
    await append(parts, exchange, { repository, id });
    await finish(parts, exchange, { repository, id, digest: digestFrom(digest) });
  } catch (error) {
    await parts.uploads.cancel(repository, id).catch(() => {}); // nobody has been told of it
    throw error;
  }
}

/** "Mounting a blob from another repository": of one that the client may read, `from` or any. */
async function mount(parts: Parts, { query, principal }: Exchange, repository: string): Promise<BlobRow | undefined> {
  const digest = query.get('mount');
  if (digest === null || !isContentDigest(digest)) return undefined;
  const from = query.get('from');
  const known = parts.blobs.find(repository, digest);
  if (known !== undefined) parts.catalogue.touchLink(repository, digest);
  if (known !== undefined) return known;
  const sources = from === null || from === '' ? parts.catalogue.repositoriesWith(digest) : [from];
  const source = sources.find((name) => principal.may('pull', name) && parts.blobs.find(name, digest) !== undefined);
  if (source !== undefined) return parts.blobs.mount(repository, { digest, from: source });
  return await parts.blobs.adoptShared(repository, digest);
}

interface UploadRoute {
  readonly repository: string;
  readonly id: string;
}

/** `GET`: how far an upload has come (end-13). */
export async function getUpload(parts: Parts, exchange: Exchange, route: UploadRoute): Promise<void> {
  const offset = await parts.uploads.offset(route.repository, route.id);
  answerProgress(exchange, { status: 204, ...route, offset });
}

/** `PATCH`: the next chunk, or all that comes (end-5). */
export async function patchUpload(parts: Parts, exchange: Exchange, route: UploadRoute): Promise<void> {
  const offset = await append(parts, exchange, route);
  answerProgress(exchange, { status: 202, ...route, offset });
}

/** `PUT`: the last chunk, if any, and the end (end-6). */
export async function putUpload(parts: Parts, exchange: Exchange, route: UploadRoute): Promise<void> {
  const digest = digestFrom(exchange.query.get('digest') ?? '');
  if (hasBody(exchange)) await append(parts, exchange, route);
  await finish(parts, exchange, { ...route, digest });
}

/** `DELETE`: the upload and what has come of it are gone. */
export async function deleteUpload(parts: Parts, { response }: Exchange, route: UploadRoute): Promise<void> {
  await parts.uploads.cancel(route.repository, route.id);
  answerEmpty(response, 204, {});
}

async function finish(parts: Parts, exchange: Exchange, o: UploadRoute & { digest: ContentDigest }): Promise<void> {
  const { digest, sizeBytes } = await parts.uploads.finish(o.repository, o.id, o.digest);
  parts.metrics.received(sizeBytes);
  answerBlob(exchange, { repository: o.repository, digest });
}

async function append(parts: Parts, exchange: Exchange, route: UploadRoute): Promise<number> {
  const { offset, chunk } = {
    offset: await parts.uploads.offset(route.repository, route.id),
    chunk: chunkOf(exchange),
  };
  if (chunk === 'invalid') throw notNext(route, offset);
  try {
    return await parts.uploads.append(route.repository, route.id, chunk);
  } catch (error) {
    if (error instanceof RegistryError && error.status === 416)
      throw notNext(route, await parts.uploads.offset(route.repository, route.id));
    throw error;
  }
}

function chunkOf({ request }: Exchange): Chunk | 'invalid' {
  const said = request.headers['content-range'];
  const length = request.headers['content-length'];
  const sizeBytes = length === undefined ? undefined : Number(length);
  if (said === undefined) return { body: request, start: undefined, sizeBytes };
  const range = chunkRange(said);
  if (range === undefined) return 'invalid';
  return { body: request, start: range.start, sizeBytes: range.end - range.start + 1 };
}

function hasBody({ request }: Exchange): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

function notNext(route: UploadRoute, offset: number): Error {
  return refusal('BLOB_UPLOAD_INVALID', {
    status: 416,
    message: 'that is not the next chunk',
    headers: progressHeaders({ ...route, offset }),
    detail: { next: offset },
  });
}

function answerProgress(
  { response }: Exchange,
  o: UploadRoute & { readonly status: number; readonly offset: number },
): void {
  answerEmpty(response, o.status, progressHeaders(o));
}

function progressHeaders({
  repository,
  id,
  offset,
}: UploadRoute & { readonly offset: number }): Record<string, string> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: progressRange(offset),
    'docker-upload-uuid': id,
  };
}

function answerBlob({ response }: Exchange, o: { repository: string; digest: ContentDigest }): void {
  answerEmpty(response, 201, {
    location: `/v2/${o.repository}/blobs/${o.digest}`,
    'docker-content-digest': o.digest,
  });
}
