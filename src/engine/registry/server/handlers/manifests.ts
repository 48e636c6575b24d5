import type { ManifestRow } from '../catalogue.ts';
import { algorithmOf, digestOfBytes, type ContentDigest } from '../digests.ts';
import { refusal, refusals } from '../errors.ts';
import { answerEmpty, matchesTag, type Exchange, type Parts } from '../exchange.ts';
import { MANIFEST_LIMIT_BYTES, readManifest, type ManifestFacts } from '../manifest.ts';
import type { ManifestReference } from '../routes.ts';

interface ManifestRoute {
  readonly repository: string;
  readonly reference: ManifestReference;
}

/** `GET` and `HEAD` of a manifest by tag or digest (end-3). */
export async function getManifest(parts: Parts, { request, response }: Exchange, route: ManifestRoute): Promise<void> {
  const manifest = find(parts, route);
  if (manifest === undefined) throw unknown(route);
  const headers = { 'docker-content-digest': manifest.digest, etag: `"${manifest.digest}"` };
  if (matchesTag(request.headers['if-none-match'], manifest.digest)) return answerEmpty(response, 304, headers);
  response.writeHead(200, { ...headers, 'content-type': manifest.mediaType, 'content-length': manifest.bytes.length });
  response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
}

function find({ catalogue }: Parts, { repository, reference }: ManifestRoute): ManifestRow | undefined {
  const digest = reference.kind === 'digest' ? reference.digest : catalogue.digestOfTag(repository, reference.tag);
  return digest === undefined ? undefined : catalogue.manifest(repository, digest);
}

/** `PUT` of a manifest (end-7): all that it names must be there, but for its subject. */
export async function putManifest(parts: Parts, exchange: Exchange, route: ManifestRoute): Promise<void> {
  const { repository, reference } = route;
  const bytes = await bodyOf(exchange);
  const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256';
  const digest = digestOfBytes(bytes, algorithm);
  if (reference.kind === 'digest' && reference.digest !== digest)
    throw refusal('DIGEST_INVALID', { detail: { digest: reference.digest, found: digest } });
  const facts = readManifest(bytes, exchange.request.headers['content-type']);
  await adoptShared(parts, repository, facts);
  const { mediaType } = facts;
  requireNamed(parts, repository, facts);
  await parts.records?.put({ kind: 'manifest', repository, digest, mediaType, bytes });
  store(parts, exchange, { route, digest, bytes, facts });
  if (reference.kind === 'tag') await parts.records?.put({ kind: 'tag', repository, tag: reference.tag, digest });
  answerEmpty(exchange.response, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(facts.subject === undefined ? {} : { 'oci-subject': facts.subject }),
  });
}

/** A client that saw a layer in the engine's store, or guessed that it is there, did not push it. */
async function adoptShared({ blobs }: Parts, repository: string, { links }: ManifestFacts): Promise<void> {
  for (const digest of links.blobs)
    if (blobs.find(repository, digest) === undefined) await blobs.adoptShared(repository, digest);
}

/** In one turn: what is seen to be there cannot go before the manifest that names it is stored. */
function store(
  { catalogue, blobs }: Parts,
  { request }: Exchange,
  o: { route: ManifestRoute; digest: ContentDigest; bytes: Buffer; facts: ManifestFacts },
): void {
  const { repository, reference } = o.route;
  const { mediaType, links, subject, artifactType, annotations } = o.facts;
  const tag = reference.kind === 'tag' ? reference.tag : undefined;
  const current = tag === undefined ? undefined : catalogue.digestOfTag(repository, tag);
  requireConditions(request.headers, current);
  requireNamed({ catalogue, blobs }, repository, o.facts);
  catalogue.transaction(() =>
    catalogue.putManifest(repository, {
      ...{ digest: o.digest, mediaType, bytes: o.bytes, links, subject, artifactType, tag },
      annotations: annotations === undefined ? undefined : JSON.stringify(annotations),
    }),
  );
}

/** An answer need not be larger than what was asked. */
const MOST_TOLD = 100;

/** @throws RegistryError `MANIFEST_BLOB_UNKNOWN`, one for each that is missing */
function requireNamed(
  { catalogue, blobs }: Pick<Parts, 'catalogue' | 'blobs'>,
  repository: string,
  { links }: ManifestFacts,
): void {
  const missing = [
    ...links.blobs.filter((digest) => blobs.find(repository, digest) === undefined),
    ...links.manifests.filter((digest) => !catalogue.hasManifest(repository, digest)),
  ];
  if (missing.length > 0)
    throw refusals(
      'MANIFEST_BLOB_UNKNOWN',
      missing.slice(0, MOST_TOLD).map((digest) => ({ name: repository, digest })),
    );
}

/** Conditional requests keep two clients from overwriting each other's tag ("Pushing Manifests with Subject"). */
function requireConditions(headers: Exchange['request']['headers'], current: ContentDigest | undefined): void {
  const mustMatch = headers['if-match'];
  const mustNotMatch = headers['if-none-match'];
  const isRight =
    (mustMatch === undefined || matchesTag(mustMatch, current)) &&
    (mustNotMatch === undefined || !matchesTag(mustNotMatch, current));
  if (!isRight)
    throw refusal('DENIED', { status: 412, message: 'the tag is not as the request expects it', detail: { current } });
}

async function bodyOf({ request }: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = Number(request.headers['content-length'] ?? 0);
  if (size > MANIFEST_LIMIT_BYTES) throw tooLarge();
  size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > MANIFEST_LIMIT_BYTES) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): Error {
  const message = `manifests of more than ${MANIFEST_LIMIT_BYTES} bytes are not taken`;
  return refusal('MANIFEST_INVALID', { status: 413, message });
}

/** `DELETE` (end-9): of a tag only the tag; of a digest the manifest and all tags that lead to it. */
export async function deleteManifest(parts: Parts, { response }: Exchange, route: ManifestRoute): Promise<void> {
  if (!(await removeManifest(parts, route))) throw unknown(route);
  answerEmpty(response, 202, {});
}

/** False where it is not there. */
export async function removeManifest(
  { catalogue, records }: Pick<Parts, 'catalogue' | 'records'>,
  { repository, reference }: ManifestRoute,
): Promise<boolean> {
  const tags = reference.kind === 'tag' ? [reference.tag] : catalogue.tagsOf(repository, reference.digest);
  const isThere =
    reference.kind === 'tag'
      ? catalogue.digestOfTag(repository, reference.tag) !== undefined
      : catalogue.hasManifest(repository, reference.digest);
  if (!isThere) return false;
  for (const tag of tags) await records?.remove({ kind: 'tag', repository, tag });
  if (reference.kind === 'tag') return catalogue.deleteTag(repository, reference.tag);
  await records?.remove({ kind: 'manifest', repository, digest: reference.digest });
  return catalogue.deleteManifest(repository, reference.digest);
}

function unknown({ repository, reference }: ManifestRoute): Error {
  const name = reference.kind === 'tag' ? { tag: reference.tag } : { digest: reference.digest };
  return refusal('MANIFEST_UNKNOWN', { detail: { name: repository, ...name } });
}
