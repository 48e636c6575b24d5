import type { Readable } from 'node:stream';
import type { Digest } from '../../../lib/oci/index.ts';
import { discard } from './answers.ts';
import type { BlobSource } from './face.ts';
import { isPassing } from './failures.ts';
import type { Call, Repository } from './repository.ts';
import { waitToRetry, type RetryLimits } from './retry.ts';
import type { HttpAnswer } from './transport.ts';

export interface BlobUpload {
  readonly repository: Repository;
  readonly blob: BlobSource;
  readonly retry: RetryLimits;
  /** An upload of this blob that broke off: it is gone on with where the registry still knows it. */
  readonly begun?: { readonly location: URL; readonly error: unknown };
  readonly onBytes?: (bytes: number) => void;
  readonly onRetry?: (reason: string) => void;
  readonly signal?: AbortSignal;
}

/** What all requests of an upload have. */
type UploadRequest = Pick<BlobUpload, 'repository' | 'signal'>;

/** A registry may check and move what it got before it answers. */
const ANSWER_MS = 300_000;
const CHUNK_BYTES = 16 * 1024 * 1024;

export async function hasBlob(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<boolean> {
  const answer = await repository.call({
    method: 'HEAD',
    at: `blobs/${digest}`,
    expect: [200, 404],
    what: `the blob ${digest}`,
    ...(signal && { signal }),
  });
  answer.body.destroy();
  return answer.status === 200;
}

/**
 * Asks that a blob of another repository be here, too (OCI Distribution Specification, "Mounting a blob from another
 * repository").
 */
export async function mountBlob(
  repository: Repository,
  o: { digest: Digest; from: string; signal?: AbortSignal },
): Promise<boolean> {
  const query = new URLSearchParams({ mount: o.digest, from: o.from });
  const answer = await start(repository, {
    query: `?${query.toString()}`,
    expect: [201, 202],
    ...(o.signal && { signal: o.signal }),
  });
  if (answer.status === 201) return true;
  await cancel({ repository, ...(o.signal && { signal: o.signal }) }, await locationOf(repository, answer));
  return false;
}

/**
 * Uploads a blob whole. When the connection breaks the registry is asked how much it has, and gets the rest in chunks;
 * when it does not remember, all of it once more.
 */
export async function uploadBlob(o: BlobUpload): Promise<void> {
  const { repository, retry, signal } = o;
  let begun = o.begun;
  for (let attempt = 1; ; attempt++, begun = undefined) {
    const location = begun?.location ?? (await startUpload(o));
    try {
      if (begun !== undefined) throw begun.error;
      return await sendWhole(o, location);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(causeOf(error)) && !isTooLarge(error)) {
        if (begun === undefined) return await giveUp(o, location, error);
        await cancel(o, location); // it may be the way that it was sent
        continue;
      }
      o.onRetry?.((error as Error).message);
      await waitToRetry(attempt, { firstDelayMs: retry.firstDelayMs, signal });
      if (await hasBlob(repository, o.blob.digest, signal)) return; // its answer was lost
      if (await resumed(o, location, isTooLarge(error))) return;
      if (attempt >= retry.attempts) return await giveUp(o, location, error);
    }
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

/** Something before the registry takes no bodies of that length. */
function isTooLarge(error: unknown): boolean {
  return (error as { details?: { status?: unknown } }).details?.status === 413;
}

async function giveUp(o: BlobUpload, location: URL, error: unknown): Promise<never> {
  await cancel(o, location);
  throw error;
}

/** @returns where its content is to be sent to */
export async function startUpload({ repository, signal }: UploadRequest): Promise<URL> {
  const answer = await start(repository, { query: '', expect: [202], ...(signal && { signal }) });
  return await locationOf(repository, answer);
}

async function start(
  repository: Repository,
  o: { query: string; expect: readonly number[]; signal?: AbortSignal },
): Promise<HttpAnswer> {
  const answer = await repository.call({
    method: 'POST',
    at: `blobs/uploads/${o.query}`,
    body: Buffer.alloc(0),
    expect: o.expect,
    what: 'the beginning of an upload',
    ...(o.signal && { signal: o.signal }),
  });
  await discard(answer.body);
  return answer;
}

async function locationOf(repository: Repository, answer: HttpAnswer): Promise<URL> {
  return repository.addressOf(answer.headers.location, await repository.origin());
}

async function sendWhole(o: BlobUpload, location: URL): Promise<void> {
  let sent = 0;
  const answer = await o.repository.call({
    ...callOf(o, { method: 'PUT', at: withDigest(location, o.blob.digest), expect: [201] }),
    body: { open: () => o.blob.open(0), length: o.blob.sizeBytes },
    onSent: (bytes) => o.onBytes?.((sent += bytes)),
  });
  await discard(answer.body);
}

/** @returns false where the registry does not know the upload any more */
async function resumed(o: BlobUpload, location: URL, isFromStart: boolean): Promise<boolean> {
  try {
    let place = isFromStart ? { location: await startUpload(o), offset: 0 } : await statusOf(o, location);
    if (place === undefined) return false;
    while (place.offset < o.blob.sizeBytes) place = await sendChunk(o, place);
    await endUpload(o, { location: place.location, digest: o.blob.digest });
    return true;
  } catch (error) {
    o.signal?.throwIfAborted();
    if (isFromStart) throw error;
    return false;
  }
}

/** All of its content has been sent. */
export async function endUpload(o: UploadRequest, end: { location: URL; digest: Digest }): Promise<void> {
  const at = withDigest(end.location, end.digest);
  const call = uploadCall(o, { method: 'PUT', at, expect: [201], what: `the upload of ${end.digest}` });
  await discard((await o.repository.call({ ...call, body: Buffer.alloc(0) })).body);
}

interface Place {
  readonly location: URL;
  readonly offset: number;
}

/** OCI Distribution Specification, "Pushing a blob in chunks": how far it came. */
async function statusOf(o: BlobUpload, location: URL): Promise<Place | undefined> {
  const answer = await o.repository.call(callOf(o, { method: 'GET', at: location, expect: [204] }));
  await discard(answer.body);
  return placeAfter(o, answer, location);
}

async function sendChunk(o: BlobUpload, { location, offset }: Place): Promise<Place> {
  const chunk = await chunkAt(o.blob, offset);
  const answer = await o.repository.call({
    ...callOf(o, { method: 'PATCH', at: location, expect: [202] }),
    headers: {
      'content-type': 'application/octet-stream',
      'content-range': `${offset}-${offset + chunk.length - 1}`,
    },
    body: chunk,
  });
  await discard(answer.body);
  const place = placeAfter(o, answer, location);
  if (place === undefined || place.offset <= offset) throw new Error('an upload does not get on');
  o.onBytes?.(place.offset);
  return place;
}

function placeAfter(o: BlobUpload, { headers }: HttpAnswer, location: URL): Place | undefined {
  const range = /^(?:bytes=)?0-(\d+)$/.exec(String(headers['range'] ?? ''));
  if (range === null) return undefined;
  const next = headers.location === undefined ? location : o.repository.addressOf(headers.location, location.href);
  const end = Number(range[1]);
  return { location: next, offset: end === 0 ? 0 : Math.min(end + 1, o.blob.sizeBytes) };
}

async function chunkAt(blob: BlobSource, offset: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  const source: Readable = blob.open(offset);
  for await (const piece of source) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length >= CHUNK_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, CHUNK_BYTES);
}

function callOf(o: BlobUpload, call: Pick<Call, 'method' | 'at' | 'expect'>): Call {
  return uploadCall(o, { ...call, what: `the upload of ${o.blob.digest}` });
}

/** A request with content: whoever has the content tries again, and the registry may take its time to answer. */
export function uploadCall({ signal }: UploadRequest, call: Pick<Call, 'method' | 'at' | 'expect' | 'what'>): Call {
  return {
    ...call,
    headers: { 'content-type': 'application/octet-stream' },
    once: true,
    idleMs: ANSWER_MS,
    ...(signal === undefined ? {} : { signal }),
  };
}

function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  return url;
}

/** A kindness: the registry would forget it by itself. */
export async function cancel({ repository, signal }: UploadRequest, location: URL): Promise<void> {
  if (signal?.aborted === true) return;
  const call = {
    method: 'DELETE',
    at: location,
    expect: [202, 204, 404, 405],
    what: 'the end of an upload',
    once: true,
  };
  await repository.call(call).then(
    (answer) => discard(answer.body),
    () => {},
  );
}
