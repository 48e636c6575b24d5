import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import type Docker from 'dockerode';
import { parseReference } from '../lib/oci/index.ts';
import { call, engineError } from './engine-errors.ts';

/** The life of images on any engine, over the Docker Engine API. Archives are uncompressed or compressed tars. */
export interface EngineImages {
  images(query?: ImageQuery): Promise<readonly ImageSummary[]>;
  history(name: string): Promise<readonly HistoryEntry[]>;
  tag(name: string, reference: string): Promise<void>;
  /** Deletes untagged images that nothing uses. */
  pruneDangling(filters: ImageFilters): Promise<void>;
  /**
   * Forgets results of build steps, and cache mounts, that no build uses; `all`: also those whose layers images have.
   * @returns bytes that were freed
   */
  pruneBuildCache(o: { readonly all: boolean }): Promise<number>;
  /** Ids of the images that containers, running or not, were made of. */
  usedImages(): Promise<ReadonlySet<string>>;
  /** Bytes of all layers. */
  layersBytes(): Promise<number>;
  /** Removes one name, or with its last name the image. */
  removeReference(reference: string): Promise<void>;
  save(request: SaveRequest, signal: AbortSignal): Promise<Readable>;
  /** @returns references of what was loaded, ids where it has none */
  load(archive: Readable, signal: AbortSignal): Promise<readonly string[]>;
  /** Makes an image of one layer from the archive of a root file system. @returns its id */
  importRoot(archive: Readable, request: ImportRequest, signal: AbortSignal): Promise<string>;
  /** The files of a container. */
  exportContainer(container: string, signal: AbortSignal): Promise<Readable>;
  /** What a container wrote becomes a layer on its image. @returns the id of the new image */
  commit(container: string, request: CommitRequest): Promise<string>;
}

/** Values by name: those of one name are alternatives, all names must match. */
export type ImageFilters = Readonly<Record<string, readonly string[]>>;

export interface ImageQuery {
  /** With those that only serve as a base of others. */
  readonly all?: boolean;
  readonly filters?: ImageFilters;
}

export interface ImageSummary {
  readonly id: string;
  readonly references: readonly string[];
  /** `name@sha256:…` each. */
  readonly digests: readonly string[];
  readonly createdAt: Date;
  readonly sizeBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface HistoryEntry {
  /** Undefined where the image after this step is not there. */
  readonly id: string | undefined;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly sizeBytes: number;
  readonly comment: string;
  readonly references: readonly string[];
}

export interface SaveRequest {
  readonly names: readonly string[];
  /** With provenance and bills of materials. Only of the embedded engine; others do not mind. */
  readonly documents: boolean;
}

export interface ImportRequest {
  readonly reference?: string | undefined;
  readonly message?: string | undefined;
  /** Instructions of a Dockerfile, e.g. `CMD ["/bin/sh"]`. */
  readonly changes: readonly string[];
}

export interface CommitRequest extends ImportRequest {
  readonly author?: string | undefined;
  /** The container stands still meanwhile. */
  readonly pause: boolean;
}

export function engineImages(docker: Docker): EngineImages {
  const image = (name: string): Docker.Image => docker.getImage(name);
  return {
    images: async ({ all = false, filters = {} } = {}) =>
      (await call(() => docker.listImages({ all, filters: JSON.stringify(filters) }))).map(summaryOf),
    history: async (name) => ((await call(() => image(name).history())) as readonly HistoryItem[]).map(entryOf),
    tag: async (name, reference) => void (await call(() => image(name).tag(splitReference(reference)))),
    pruneDangling: async (filters) => {
      await call(() => docker.pruneImages({ filters: JSON.stringify({ ...filters, dangling: ['true'] }) }));
    },
    pruneBuildCache: async ({ all }) => (await call(() => dialPruneCache(docker, all))).SpaceReclaimed ?? 0,
    usedImages: async () =>
      new Set((await call(() => docker.listContainers({ all: true }))).map(({ ImageID }) => ImageID)),
    layersBytes: async () => ((await call(() => docker.df())) as { LayersSize?: number }).LayersSize ?? 0,
    removeReference: async (reference) => void (await call(() => image(reference).remove())),
    save: (request, abortSignal) => call(() => dialSave(docker, request, abortSignal)),
    load: async (archive, abortSignal) =>
      loaded((await call(() => docker.loadImage(archive, { abortSignal }))) as Readable),
    importRoot: (archive, request, abortSignal) => importRoot(docker, { archive, request, abortSignal }),
    exportContainer: (container, abortSignal) =>
      call(() => docker.getContainer(container).export({ abortSignal })) as Promise<Readable>,
    commit: async (container, { reference, message, author, changes, pause }) => {
      const named = reference === undefined ? {} : splitReference(reference);
      const query = { container, ...named, comment: message, author, changes, pause };
      const o = { _query: query, _body: {} }; // else all of it would be the new image's configuration, too
      return ((await call(() => docker.getContainer(container).commit(o))) as { Id: string }).Id;
    },
  };
}

/** dockerode's own function takes no options. */
function dialPruneCache(docker: Docker, all: boolean): Promise<{ readonly SpaceReclaimed?: number }> {
  const request = { path: '/build/prune?', method: 'POST', options: { all }, statusCodes: { 200: true } };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error, answer) =>
      error ? reject(error) : resolve(answer as { SpaceReclaimed?: number }),
    );
  });
}

/** dockerode has no function for it. */
function dialSave(docker: Docker, options: SaveRequest, abortSignal: AbortSignal): Promise<Readable> {
  const request = {
    ...{ path: '/images/get?', method: 'GET', options, isStream: true, abortSignal },
    statusCodes: { 200: true },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error, stream) => (error ? reject(error) : resolve(stream as Readable)));
  });
}

function summaryOf(image: Docker.ImageInfo): ImageSummary {
  return {
    id: image.Id,
    references: (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
    digests: (image.RepoDigests ?? []).filter((digest) => digest !== '<none>@<none>'),
    createdAt: new Date(image.Created * 1_000),
    sizeBytes: image.Size,
    labels: image.Labels ?? {},
  };
}

interface HistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Comment: string;
  readonly Tags: readonly string[] | null;
}

function entryOf(item: HistoryItem): HistoryEntry {
  return {
    id: item.Id === '<missing>' ? undefined : item.Id,
    createdAt: new Date(item.Created * 1_000),
    createdBy: item.CreatedBy,
    sizeBytes: item.Size,
    comment: item.Comment,
    references: item.Tags ?? [],
  };
}

/** @throws UserError `invalid-reference` */
function splitReference(reference: string): { readonly repo: string; readonly tag: string } {
  const { tag = 'latest' } = parseReference(reference);
  const isTagged = reference.slice(reference.lastIndexOf('/') + 1).includes(':');
  return { repo: isTagged ? reference.slice(0, reference.lastIndexOf(':')) : reference, tag };
}

interface Line {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

async function* linesOf(stream: Readable): AsyncGenerator<Line> {
  for await (const text of createInterface({ input: stream })) {
    const line = JSON.parse(text) as Line;
    if (line.error !== undefined) throw engineError(422, line.error);
    yield line;
  }
}

const LOADED = /^Loaded image(?: ID)?: (\S+)\n?$/;

async function loaded(stream: Readable): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { stream: text = '' } of linesOf(stream)) {
    const name = LOADED.exec(text)?.[1];
    if (name !== undefined) names.push(name);
  }
  return names;
}

async function importRoot(
  docker: Docker,
  o: { readonly archive: Readable; readonly request: ImportRequest; readonly abortSignal: AbortSignal },
): Promise<string> {
  const { archive, request, abortSignal } = o;
  const { reference, message, changes } = request;
  const named = reference === undefined ? {} : splitReference(reference);
  const options = { ...named, message, changes, abortSignal };
  let id = '';
  const answer = (await call(() => docker.importImage(archive as unknown as string, options))) as Readable;
  for await (const { status = '' } of linesOf(answer)) id = status;
  return id;
}
