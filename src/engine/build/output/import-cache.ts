import { createReadStream } from 'node:fs';
import { messageOf } from '../../../lib/errors.ts';
import type { Descriptor, Digest, Manifest } from '../../../lib/oci/index.ts';
import type { ImageStore } from '../../image/index.ts';
import type { CachedResult } from '../execute/cache.ts';
import type { BuildRegistry, BuildRequest, CacheImport, LocalCache, RegistryCache } from '../face.ts';
import { CACHE_CONFIG_TYPE, CacheConfigSchema, type CacheConfig } from './cache-format.ts';
import { layoutBlobPath, readLayoutBlob, readLayoutIndex, REF_NAME } from './layout.ts';
import { registryFor } from './registry-for.ts';

/** Results that other builds have left in folders and registries. */
export interface ImportedResults {
  /**
   * Takes a result over, with its layer, which is verified by its digest.
   * @param key over content, or over references
   */
  take(key: string): Promise<ImportedResult | undefined>;
}

export interface ImportedResult extends CachedResult {
  readonly contentKey: string;
  readonly description: string;
}

interface Importing {
  readonly images: Pick<ImageStore, 'addLayer' | 'findLayer'>;
  readonly registry: BuildRegistry | undefined;
  readonly signal: AbortSignal;
}

/** A cache that was read, without its layers. */
interface Cache {
  readonly place: string;
  readonly results: CacheConfig['results'];
  /** Brings a layer into the store. */
  fetch(diffId: Digest): Promise<void>;
}

type Found = CacheConfig['results'][number] & { readonly cache: Cache };

/** What cannot be read is told, and as good as empty: a build never fails for want of a cache. */
export async function openImports(request: BuildRequest, o: Importing): Promise<ImportedResults> {
  const found = new Map<string, Found>();
  const warn = (message: string): void =>
    request.onProgress({ kind: 'warning', code: 'cache-unusable', message, line: 0 });
  for (const source of request.cacheFrom ?? []) {
    try {
      const cache = await readCache(source, o);
      for (const result of cache.results) {
        for (const key of [result.key, ...result.aliases]) found.set(key, { ...result, cache });
      }
    } catch (error) {
      o.signal.throwIfAborted();
      const place = source.kind === 'local' ? source.path : source.reference;
      warn(`the cache ${place} cannot be used: ${messageOf(error)}`);
    }
  }
  return {
    async take(key) {
      const result = found.get(key);
      if (result === undefined) return undefined;
      try {
        return await takeOver(result, o);
      } catch (error) {
        o.signal.throwIfAborted();
        warn(`a result in the cache ${result.cache.place} cannot be used: ${messageOf(error)}`);
        return undefined;
      }
    },
  };
}

async function readCache(source: CacheImport, o: Importing): Promise<Cache> {
  return source.kind === 'local' ? await readFolder(source, o) : await readRegistry(source, o);
}

async function readRegistry({ reference }: RegistryCache, o: Importing): Promise<Cache> {
  const { signal } = o;
  const registry = registryFor(o, reference);
  const { config, configType, layers } = await registry.fetchDocument(reference, signal);
  if (configType !== CACHE_CONFIG_TYPE) throw notOurs();
  const { results, layers: diffIds = [] } = CacheConfigSchema.parse(JSON.parse(config.toString('utf8')));
  return {
    place: reference,
    results,
    async fetch(diffId) {
      const layer = layers[diffIds.indexOf(diffId)];
      if (layer === undefined) throw new Error(`it has no layer ${diffId}`);
      await registry.fetchLayers(reference, { layers: [layer], diffIds: [diffId], signal });
    },
  };
}

async function readFolder(source: LocalCache, { images, signal }: Importing): Promise<Cache> {
  const wanted = source.tag ?? 'latest';
  const index = await readLayoutIndex(source.path);
  const descriptor = index.find(({ annotations }) => annotations?.[REF_NAME] === wanted);
  if (descriptor === undefined) throw new Error(index.length === 0 ? 'nothing is there' : `it has no "${wanted}"`);
  const manifest = await readJson<Manifest>(source.path, descriptor);
  if (manifest.config.mediaType !== CACHE_CONFIG_TYPE) throw notOurs();
  const { results } = CacheConfigSchema.parse(await readJson(source.path, manifest.config));
  return {
    place: source.path,
    results,
    async fetch(diffId) {
      const open = () => Promise.resolve(createReadStream(layoutBlobPath(source.path, diffId)));
      await images.addLayer(open, { diffId, signal });
    },
  };
}

function notOurs(): Error {
  return new Error('it was not written by `bascule image build`');
}

async function readJson<T>(directory: string, descriptor: Descriptor): Promise<T> {
  return JSON.parse((await readLayoutBlob(directory, descriptor)).toString('utf8')) as T;
}

async function takeOver(result: Found, { images }: Importing): Promise<ImportedResult> {
  const { key: contentKey, description, cache } = result;
  const diffId = result.diffId ?? undefined;
  if (diffId !== undefined && images.findLayer(diffId) === undefined) await cache.fetch(diffId);
  return { contentKey, diffId, createdAt: new Date(result.createdAt), description };
}
