import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from './auth/rights.ts';
import type { Blobs } from './blobs.ts';
import type { Catalogue } from './catalogue.ts';
import type { Metrics } from './metrics.ts';
import type { RecordStorage } from './storage/face.ts';
import type { Uploads } from './uploads.ts';

/** What the handlers work on. */
export interface Parts {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  /** Where records are kept beside the database. */
  readonly records: RecordStorage | undefined;
  readonly metrics: Metrics;
}

/** One request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** Answers without a body. */
export function answerEmpty(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>): void {
  response.writeHead(status, status === 204 || status === 304 ? { ...headers } : { ...headers, 'content-length': '0' });
  response.end();
}

export function answerJson(
  exchange: Exchange,
  body: object,
  o: { readonly headers?: Readonly<Record<string, string>>; readonly contentType?: string } = {},
): void {
  const text = Buffer.from(JSON.stringify(body));
  exchange.response.writeHead(200, {
    'content-type': o.contentType ?? 'application/json',
    'content-length': text.length,
    ...o.headers,
  });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : text);
}

/** Whether one of the entity tags in a header is this one (RFC 9110, section 13.1). */
export function matchesTag(header: string | undefined, digest: string | undefined): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return digest !== undefined;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, '').replaceAll('"', ''));
  return digest !== undefined && tags.includes(digest);
}
