import type { Descriptor, Digest, Manifest } from '../../../lib/oci/index.ts';
import type { Session, UsedResult } from '../execute/session.ts';
import type { CacheExport } from '../face.ts';
import { CACHE_CONFIG_TYPE, type CacheConfig } from './cache-format.ts';
import { openLayout, REF_NAME } from './layout.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Writes what this build made or found where the request wants it (`--cache-to`). */
export async function exportCaches(session: Session): Promise<void> {
  for (const target of session.request.cacheTo ?? []) await exportCache(session, target);
}

async function exportCache(session: Session, target: CacheExport): Promise<void> {
  const { workshop, signal } = session;
  session.request.onProgress({ kind: 'status', what: 'cache', line: `writing the cache to ${target.path}` });
  const { images } = workshop.options;
  const layout = await openLayout(target.path, {
    images,
    unfinished: workshop.unfinished,
    owner: target.owner,
    signal,
  });
  const results = resultsFor(session, target.mode);
  const layers: Descriptor[] = [];
  for (const diffId of layersOf(results)) layers.push(await layout.layer(diffId));
  const config = await layout.blob(Buffer.from(JSON.stringify(configOf(results))), CACHE_CONFIG_TYPE);
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

function layersOf(results: readonly Used[]): ReadonlySet<Digest> {
  return new Set(results.flatMap(([, { diffId }]) => (diffId === undefined ? [] : [diffId])));
}

function configOf(results: readonly Used[]): CacheConfig {
  return {
    version: 1,
    results: results.map(([key, { aliases, diffId, createdAt, description }]) => ({
      key,
      aliases: [...aliases],
      diffId: diffId ?? null,
      createdAt: createdAt.toISOString(),
      description,
    })),
  };
}
