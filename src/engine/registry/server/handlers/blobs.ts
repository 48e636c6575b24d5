import { pipeline } from 'node:stream/promises';
import type { BlobRow } from '../garbage.ts';
import type { ContentDigest } from '../digests.ts';
import { refusal } from '../errors.ts';
import { answerEmpty, matchesTag, type Exchange, type Parts } from '../exchange.ts';
import { requestedRange, type ByteRange } from '../ranges.ts';
import { sendFile } from '../send-file.ts';

interface BlobRoute {
  readonly repository: string;
  readonly digest: ContentDigest;
}

/** `HEAD`: whether a repository has a blob (end-2). Who may push is told of the engine's layers, too. */
export async function headBlob(parts: Parts, exchange: Exchange, route: BlobRoute): Promise<void> {
  const { response, principal } = exchange;
  const row = parts.blobs.find(route.repository, route.digest);
  if (row !== undefined && principal.may('push', route.repository))
    parts.catalogue.touchLink(route.repository, route.digest);
  const found = row ?? (await adopted(parts, exchange, route));
  if (found === undefined) throw unknown(route);
  response.writeHead(200, { ...headersOf(found), 'content-length': found.sizeBytes });
  response.end();
}

/** `GET`: a blob, or some of its bytes (end-2; RFC 9110, sections 13 and 14). */
export async function getBlob(parts: Parts, exchange: Exchange, route: BlobRoute): Promise<void> {
  const { request, response } = exchange;
  const row = parts.blobs.find(route.repository, route.digest);
  if (row === undefined) throw unknown(route);
  if (matchesTag(request.headers['if-none-match'], row.digest)) return answerEmpty(response, 304, headersOf(row));
  const range = mayBePartial(exchange, row) ? requestedRange(request.headers.range, row.sizeBytes) : undefined;
  if (range === 'unsatisfiable')
    throw refusal('SIZE_INVALID', {
      status: 416,
      message: 'the blob has no such bytes',
      headers: { 'content-range': `bytes */${row.sizeBytes}` },
    });
  await send(parts, exchange, { row, range });
}

function mayBePartial({ request }: Exchange, row: BlobRow): boolean {
  const condition = request.headers['if-range'];
  return typeof condition !== 'string' || matchesTag(condition, row.digest);
}

async function send(
  parts: Parts,
  { response, signal }: Exchange,
  { row, range }: { readonly row: BlobRow; readonly range: ByteRange | undefined },
): Promise<void> {
  const { start, end } = range ?? { start: 0, end: row.sizeBytes - 1 };
  const length = end - start + 1;
  const small = range === undefined ? await parts.blobs.small(row) : undefined;
  if (small !== undefined) {
    response.writeHead(200, { ...headersOf(row), 'content-length': length });
    response.end(small);
    return parts.metrics.sent(length);
  }
  await using file = length === 0 ? undefined : await parts.blobs.open(row);
  const body =
    length === 0 || file !== undefined ? undefined : await parts.blobs.read(row, { ...partOf(range), signal });
  const headers = { ...headersOf(row), 'content-length': length };
  if (range === undefined) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end}/${row.sizeBytes}` });
  if (file !== undefined) await sendFile(response, file, { start, length, signal });
  else if (body === undefined) response.end();
  else await pipeline(body, response, { signal });
  parts.metrics.sent(length);
}

function partOf(range: ByteRange | undefined): { readonly range?: ByteRange } {
  return range === undefined ? {} : { range };
}

/** `DELETE` (end-10): the repository has it no more; its bytes go with the next collection. */
export async function deleteBlob(parts: Parts, { response }: Exchange, route: BlobRoute): Promise<void> {
  if (!parts.catalogue.unlinkBlob(route.repository, route.digest)) throw unknown(route);
  answerEmpty(response, 202, {});
}

async function adopted(parts: Parts, { principal }: Exchange, route: BlobRoute): Promise<BlobRow | undefined> {
  if (!principal.may('push', route.repository)) return undefined;
  return await parts.blobs.adoptShared(route.repository, route.digest);
}

/** Content never changes under its digest. */
function headersOf({ digest }: BlobRow): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
  };
}

function unknown({ repository, digest }: BlobRoute): Error {
  return refusal('BLOB_UNKNOWN', { detail: { name: repository, digest } });
}
