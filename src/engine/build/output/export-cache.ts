import type { Descriptor, Digest, Manifest } from '../../../lib/oci/index.ts';
import type { Session, UsedResult } from '../execute/session.ts';
import type { CacheExport } from '../face.ts';
import { CACHE_CONFIG_TYPE, type CacheConfig } from './cache-format.ts';
import { openLayout, REF_NAME } from './layout.ts';
import { registryFor } from './registry-for.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Writes what this build made or found where the request wants it (`--cache-to`). */
export async function exportCaches(session: Session): Promise<void> {
  for (const target of session.request.cacheTo ?? []) await exportCache(session, target);
}

async function exportCache(session: Session, target: CacheExport): Promise<void> {
  const results = resultsFor(session, target.mode);
  const diffIds = layersOf(results);
  const cache: Cache = { diffIds, config: Buffer.from(JSON.stringify(configOf(results, diffIds))) };
  const place = target.kind === 'local' ? target.path : target.reference;
  session.request.onProgress({ kind: 'status', what: 'cache', line: `writing the cache to ${place}` });
  if (target.kind === 'local') await writeToFolder(session, target, cache);
  else await writeToRegistry(session, target.reference, cache);
}

interface Cache {
  readonly diffIds: readonly Digest[];
  readonly config: Buffer;
}

async function writeToRegistry(session: Session, reference: string, { diffIds, config }: Cache): Promise<void> {
  const { signal } = session;
  const registry = registryFor(session, reference);
  const layers = await registry.pushLayers(reference, { diffIds, signal });
  await registry.pushDocument(reference, { config, configType: CACHE_CONFIG_TYPE, layers, signal });
}

async function writeToFolder(session: Session, target: CacheExport & { kind: 'local' }, cache: Cache): Promise<void> {
  const { workshop, signal } = session;
  const { images } = workshop.options;
  const layout = await openLayout(target.path, {
    images,
    unfinished: workshop.unfinished,
    owner: target.owner,
    signal,
  });
  const layers: Descriptor[] = [];
  for (const diffId of cache.diffIds) layers.push(await layout.layer(diffId));
  const config = await layout.blob(cache.config, CACHE_CONFIG_TYPE);
  const manifest: Manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers };
  const descriptor = await layout.blob(Buffer.from(JSON.stringify(manifest)), MANIFEST_TYPE);
  await layout.finish([{ ...descriptor, annotations: { [REF_NAME]: target.tag ?? 'latest' } }]);
}

type Used = readonly [key: string, result: UsedResult];

/** `min`: of the stages that the image itself consists of. */
function resultsFor({ used, plan }: Session, mode: CacheExport['mode']): readonly Used[] {
  if (mode === 'max') return [...used];
  const own = new Set<number>();
  for (let index: number | undefined = plan.target; index !== undefined;) {
    own.add(index);
    const base = plan.stages.find((stage) => stage.index === index)?.base;
    index = base?.kind === 'stage' ? base.index : undefined;
  }
  return [...used].filter(([, { stage }]) => own.has(stage));
}

function layersOf(results: readonly Used[]): readonly Digest[] {
  return [...new Set(results.flatMap(([, { diffId }]) => (diffId === undefined ? [] : [diffId])))];
}

function configOf(results: readonly Used[], diffIds: readonly Digest[]): CacheConfig {
  return {
    version: 1,
    layers: [...diffIds],
    results: results.map(([key, { aliases, diffId, createdAt, description }]) => ({
      key,
      aliases: [...aliases],
      diffId: diffId ?? null,
      createdAt: createdAt.toISOString(),
      description,
    })),
  };
}
