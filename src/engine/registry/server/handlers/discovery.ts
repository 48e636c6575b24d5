import { setImmediate } from 'node:timers/promises';
import type { Page, ReferrerRow } from '../catalogue.ts';
import type { ContentDigest } from '../digests.ts';
import { refusal } from '../errors.ts';
import { answerJson, type Exchange, type Parts } from '../exchange.ts';
import { MANIFEST_LIMIT_BYTES } from '../manifest.ts';

const TAGS_LIMIT = 10_000;
const CATALOG_LIMIT = 1_000;
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** `GET …/tags/list` ("Listing Tags", end-8a and end-8b). */
export function getTags({ catalogue }: Parts, exchange: Exchange, repository: string): void {
  if (!catalogue.hasRepository(repository)) throw refusal('NAME_UNKNOWN', { detail: { name: repository } });
  const page = pageOf(exchange, TAGS_LIMIT);
  const rows = catalogue.tags(repository, { ...page, limit: page.limit + 1 }).map(({ tag }) => tag);
  const tags = rows.slice(0, page.limit);
  const link = linkTo(`/v2/${repository}/tags/list`, { hasMore: rows.length > tags.length, page, last: tags.at(-1) });
  answerJson(exchange, { name: repository, tags }, { headers: link });
}

/**
 * `GET /v2/_catalog`: the repositories that the client may pull from (Docker Registry HTTP API V2, "Catalog"). Who may pull
 * from few of many has others wait no longer than for one page.
 */
export async function getCatalog({ catalogue }: Parts, exchange: Exchange): Promise<void> {
  const page = pageOf(exchange, CATALOG_LIMIT);
  const repositories: string[] = [];
  let last = page.last;
  let rows: readonly string[];
  do {
    rows = catalogue.repositories({ last, limit: CATALOG_LIMIT });
    repositories.push(...rows.filter((name) => exchange.principal.may('pull', name)));
    last = rows.at(-1);
    await setImmediate();
    exchange.signal.throwIfAborted();
  } while (rows.length === CATALOG_LIMIT && repositories.length <= page.limit);
  const shown = repositories.slice(0, page.limit);
  const link = linkTo('/v2/_catalog', { hasMore: repositories.length > shown.length, page, last: shown.at(-1) });
  answerJson(exchange, { repositories: shown }, { headers: link });
}

/** `GET …/referrers/<digest>` ("Listing Referrers", end-12a and end-12b); an unknown subject has none. */
export function getReferrers(
  { catalogue }: Parts,
  exchange: Exchange,
  { repository, digest }: { readonly repository: string; readonly digest: ContentDigest },
): void {
  const artifactType = exchange.query.get('artifactType') ?? undefined;
  const last = exchange.query.get('last') ?? undefined;
  const { manifests, hasMore } = fill(catalogue.referrers(repository, { subject: digest, artifactType, last }));
  const next = new URLSearchParams({
    ...(artifactType === undefined ? {} : { artifactType }),
    last: manifests.at(-1)?.digest ?? '',
  });
  const path = `/v2/${repository}/referrers/${digest}?${next.toString()}`;
  answerJson(
    exchange,
    { schemaVersion: 2, mediaType: INDEX, manifests },
    {
      contentType: INDEX,
      headers: {
        ...(artifactType === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
        ...(hasMore ? { link: `<${path}>; rel="next"` } : {}),
      },
    },
  );
}

/** As many descriptors as go into a manifest that clients must take. */
function fill(rows: Iterable<ReferrerRow>): {
  readonly manifests: readonly ReturnType<typeof descriptorOf>[];
  readonly hasMore: boolean;
} {
  const manifests: ReturnType<typeof descriptorOf>[] = [];
  let bytes = 200;
  for (const row of rows) {
    const descriptor = descriptorOf(row);
    bytes += JSON.stringify(descriptor).length + 1;
    if (bytes > MANIFEST_LIMIT_BYTES && manifests.length > 0) return { manifests, hasMore: true };
    manifests.push(descriptor);
  }
  return { manifests, hasMore: false };
}

function descriptorOf({ digest, mediaType, sizeBytes, artifactType, annotations }: ReferrerRow) {
  return {
    mediaType,
    digest,
    size: sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
  };
}

function pageOf({ query }: Exchange, most: number): Page {
  const n = query.get('n');
  const last = query.get('last') ?? undefined;
  if (n === null) return { limit: most, last };
  if (!/^\d{1,9}$/.test(n)) throw refusal('UNSUPPORTED', { status: 400, message: 'n is no number', detail: { n } });
  return { limit: Math.min(Number(n), most), last };
}

function linkTo(
  path: string,
  o: { readonly hasMore: boolean; readonly page: Page; readonly last: string | undefined },
): Record<string, string> {
  if (!o.hasMore || o.last === undefined) return {};
  const next = new URLSearchParams({ n: String(o.page.limit), last: o.last });
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}
