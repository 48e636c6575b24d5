import { createReadStream } from 'node:fs';
import { messageOf } from '../../../lib/errors.ts';
import type { Descriptor, Manifest } from '../../../lib/oci/index.ts';
import type { ImageStore } from '../../image/index.ts';
import type { CachedResult } from '../execute/cache.ts';
import type { BuildRequest, LocalCache } from '../face.ts';
import { CACHE_CONFIG_TYPE, CacheConfigSchema, type CacheConfig } from './cache-format.ts';
import { layoutBlobPath, readLayoutBlob, readLayoutIndex, REF_NAME } from './layout.ts';

/** Results that other builds have left in a folder. */
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
  readonly signal: AbortSignal;
}

type Found = CacheConfig['results'][number] & { readonly path: string };

/** What cannot be read is told, and as good as empty: a build never fails for want of a cache. */
export async function openImports(request: BuildRequest, o: Importing): Promise<ImportedResults> {
  const found = new Map<string, Found>();
  const warn = (message: string): void =>
    request.onProgress({ kind: 'warning', code: 'cache-unusable', message, line: 0 });
  for (const source of request.cacheFrom ?? []) {
    try {
      for (const result of await readCache(source)) {
        for (const key of [result.key, ...result.aliases]) found.set(key, result);
      }
    } catch (error) {
      warn(`the cache ${source.path} cannot be used: ${messageOf(error)}`);
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
        warn(`a result in the cache ${result.path} cannot be used: ${messageOf(error)}`);
        return undefined;
      }
    },
  };
}

async function readCache(source: LocalCache): Promise<readonly Found[]> {
  const wanted = source.tag ?? 'latest';
  const index = await readLayoutIndex(source.path);
  const descriptor = index.find(({ annotations }) => annotations?.[REF_NAME] === wanted);
  if (descriptor === undefined) throw new Error(index.length === 0 ? 'nothing is there' : `it has no "${wanted}"`);
  const manifest = await readJson<Manifest>(source.path, descriptor);
  if (manifest.config.mediaType !== CACHE_CONFIG_TYPE) throw new Error('it was not written by `bascule image build`');
  const config = CacheConfigSchema.parse(await readJson(source.path, manifest.config));
  return config.results.map((result) => ({ ...result, path: source.path }));
}

async function readJson<T>(directory: string, descriptor: Descriptor): Promise<T> {
  return JSON.parse((await readLayoutBlob(directory, descriptor)).toString('utf8')) as T;
}

async function takeOver(result: Found, { images, signal }: Importing): Promise<ImportedResult> {
  const { key: contentKey, description, path } = result;
  const diffId = result.diffId ?? undefined;
  if (diffId !== undefined && images.findLayer(diffId) === undefined) {
    await images.addLayer(() => Promise.resolve(createReadStream(layoutBlobPath(path, diffId))), { diffId, signal });
  }
  return { contentKey, diffId, createdAt: new Date(result.createdAt), description };
}
