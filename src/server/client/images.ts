import type { Readable } from 'node:stream';
import type { ImageDetails } from '../../engine/docker-api/index.ts';
import type { HistoryEntry, ImageFilters, ImageQuery, ImageSummary, SaveRequest } from '../engine-images.ts';
import type { Sbom } from '../engine-own-images.ts';
import type { PruneResult } from '../unused-images.ts';
import type { CommitBody, PruneBody } from '../wire-images.ts';
import type { Streamed } from './streamed.ts';
import { type ApiRequest, callBytes, callJson } from './transport.ts';

/** Calls about images that are there, and images that come and go as archives. */
export interface ImageCalls {
  images(query?: ImageQuery): Promise<readonly Streamed<ImageSummary>[]>;
  imageHistory(name: string): Promise<readonly Streamed<HistoryEntry>[]>;
  /** Only of the embedded engine. @throws UserError `image-details-unsupported` */
  imageDetails(name: string): Promise<ImageDetails>;
  /** Undefined where the image was not built here. */
  provenance(name: string): Promise<{ readonly document?: string }>;
  sbom(name: string, format: string): Promise<Sbom>;
  tagImage(name: string, reference: string): Promise<void>;
  pruneImages(body: PruneBody): Promise<PruneResult>;
  commitContainer(body: CommitBody): Promise<{ readonly id: string }>;
  saveImages(request: SaveRequest, signal: AbortSignal): Promise<Readable>;
  exportContainer(container: string, signal: AbortSignal): Promise<Readable>;
  loadImages(archive: Readable, signal: AbortSignal): Promise<{ readonly loaded: readonly string[] }>;
  importImage(archive: Readable, request: ImportCall, signal: AbortSignal): Promise<{ readonly id: string }>;
}

export interface ImportCall {
  readonly reference?: string | undefined;
  readonly message?: string | undefined;
  readonly change?: readonly string[] | undefined;
}

const TAR_TYPE = 'application/x-tar';

export function imageCalls(socketPath: string, until: Pick<ApiRequest, 'signal'>): ImageCalls {
  const get = <T>(path: string, query: ApiRequest['query']): Promise<T> =>
    callJson<T>(socketPath, { method: 'GET', path, query: query ?? {}, ...until });
  const post = <T>(path: string, body: unknown): Promise<T> =>
    callJson<T>(socketPath, { method: 'POST', path, body, ...until });
  const send = <T>(path: string, o: { archive: Readable; query?: ApiRequest['query']; signal: AbortSignal }) =>
    callJson<T>(socketPath, {
      ...{ method: 'POST', path, query: o.query ?? {}, signal: o.signal },
      stream: { type: TAR_TYPE, content: o.archive },
    });
  return {
    images: ({ all, filters } = {}) => get('/v1/images', { all, filters: filtersText(filters) }),
    imageHistory: (name) => get('/v1/images/history', { name }),
    imageDetails: (name) => get('/v1/images/details', { name }),
    provenance: (name) => get('/v1/images/provenance', { name }),
    sbom: (name, format) => get('/v1/images/sbom', { name, format }),
    tagImage: async (name, reference) => void (await post('/v1/images/tag', { name, reference })),
    pruneImages: (body) => post('/v1/images/prune', body),
    commitContainer: (body) => post('/v1/images/commit', body),
    saveImages: ({ names, documents }, signal) =>
      callBytes(socketPath, { method: 'GET', path: '/v1/images/save', query: { name: names, documents }, signal }),
    exportContainer: (container, signal) =>
      callBytes(socketPath, { method: 'GET', path: '/v1/images/export', query: { container }, signal }),
    loadImages: (archive, signal) => send('/v1/images/load', { archive, signal }),
    importImage: (archive, query, signal) => send('/v1/images/import', { archive, query: { ...query }, signal }),
  };
}

function filtersText(filters: ImageFilters | undefined): string | undefined {
  return filters === undefined ? undefined : JSON.stringify(filters);
}
