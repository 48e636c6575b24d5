import type { CacheRecord, PruneCacheOptions } from '../face.ts';
import type { Workshop } from './session.ts';

/** Results of steps, cache mounts, and files that were fetched. */
export async function cacheUsage({
  cache,
  cacheMounts,
  downloads,
  sessions,
}: Workshop): Promise<readonly CacheRecord[]> {
  const isUsed = (key: string): boolean => [...sessions].some(({ used }) => used.has(key));
  const results = cache.list().map((record) => ({ ...record, isInUse: isUsed(record.key) }));
  return [...results, ...(await cacheMounts.list()), ...downloads.list()];
}

/** Forgets results, and deletes the layers that then nobody needs, and cache mounts and fetched files that no step uses. */
export async function pruneCache(
  workshop: Workshop,
  { all, unusedSince }: PruneCacheOptions,
): Promise<{ readonly removed: readonly string[]; readonly freedBytes: number }> {
  const { cache, cacheMounts, copies, downloads, options } = workshop;
  const used = new Set(options.images.list().flatMap(({ config }) => config.rootfs.diff_ids));
  const isNeeded = ({ diffId, isInUse }: CacheRecord): boolean =>
    isInUse || (all !== true && diffId !== undefined && used.has(diffId));
  const doomed = (await cacheUsage(workshop))
    .filter((record) => !isNeeded(record))
    .filter(({ lastUsedAt }) => unusedSince === undefined || lastUsedAt.getTime() < unusedSince.getTime());
  const keysOf = (type: CacheRecord['type']): readonly string[] =>
    doomed.filter((record) => record.type === type).map(({ key }) => key);
  cache.remove(keysOf('regular'));
  if (all === true) await copies.clear();
  const freedByMounts = await cacheMounts.remove(keysOf('exec.cachemount'));
  const freedByDownloads = await downloads.remove(keysOf('source.http'));
  const freedByLayers = await options.images.collectLayers();
  return { removed: doomed.map(({ key }) => key), freedBytes: freedByMounts + freedByDownloads + freedByLayers };
}
