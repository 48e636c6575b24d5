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
  readonly onBytes?: (bytes: number) => void;
  readonly onRetry?: (reason: string) => void;
  readonly signal?: AbortSignal;
}

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
  await cancel(repository, await locationOf(repository, answer), o.signal);
  return false;
}

/**
 * Uploads a blob whole. When the connection breaks the registry is asked how much it has, and gets the rest in chunks;
 * when it does not remember, all of it once more.
 */
export async function uploadBlob(o: BlobUpload): Promise<void> {
  const { repository, retry, signal } = o;
  for (let attempt = 1; ; attempt++) {
    const location = await startUpload(o);
    try {
      return await sendWhole(o, location);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(causeOf(error)) && !isTooLarge(error)) return await giveUp(o, location, error);
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

async function giveUp({ repository, signal }: BlobUpload, location: URL, error: unknown): Promise<never> {
  await cancel(repository, location, signal);
  throw error;
}

async function startUpload({ repository, signal }: BlobUpload): Promise<URL> {
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
    const at = withDigest(place.location, o.blob.digest);
    await discard(
      (await o.repository.call({ ...callOf(o, { method: 'PUT', at, expect: [201] }), body: Buffer.alloc(0) })).body,
    );
    return true;
  } catch (error) {
    o.signal?.throwIfAborted();
    if (isFromStart) throw error;
    return false;
  }
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
  return {
    ...call,
    headers: { 'content-type': 'application/octet-stream' },
    what: `the upload of ${o.blob.digest}`,
    once: true,
    idleMs: ANSWER_MS,
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  };
}

function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  return url;
}

/** A kindness: the registry would forget it by itself. */
async function cancel(repository: Repository, location: URL, signal: AbortSignal | undefined): Promise<void> {
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
