import { isContentDigest, type ContentDigest } from './digests.ts';
import { refusal } from './errors.ts';

/** A tag, or a digest. */
export type ManifestReference =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'digest'; readonly digest: ContentDigest };

/** Which end point a path means (OCI Distribution Specification 1.1, "Endpoints"). */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'token' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: ContentDigest }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: ManifestReference }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: ContentDigest };

/** "Pull": names of repositories. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const NAME_LIMIT = 255;

export function isRepositoryName(text: string): boolean {
  return text.length <= NAME_LIMIT && NAME.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

const UPLOADS = /^(.+)\/blobs\/uploads\/?$/;
const UPLOAD = /^(.+)\/blobs\/uploads\/([A-Za-z0-9-]+)$/;
const BLOB = /^(.+)\/blobs\/([^/]+)$/;
const MANIFEST = /^(.+)\/manifests\/([^/]+)$/;
const TAGS = /^(.+)\/tags\/list\/?$/;
const REFERRERS = /^(.+)\/referrers\/([^/]+)$/;

/**
 * @param path the path of the URL, decoded
 * @returns undefined where there is no such end point
 * @throws RegistryError `NAME_INVALID`, `DIGEST_INVALID`, `MANIFEST_INVALID` for a reference that is neither tag nor digest
 */
export function routeOf(path: string): Route | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' };
  if (path === '/token') return { kind: 'token' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (!path.startsWith('/v2/')) return undefined;
  const rest = path.slice('/v2/'.length);
  return uploadRoute(rest) ?? contentRoute(rest) ?? discoveryRoute(rest);
}

function uploadRoute(rest: string): Route | undefined {
  const uploads = UPLOADS.exec(rest);
  if (uploads !== null) return { kind: 'uploads', repository: nameOf(uploads[1]) };
  const upload = UPLOAD.exec(rest);
  return upload === null ? undefined : { kind: 'upload', repository: nameOf(upload[1]), id: upload[2] ?? '' };
}

function contentRoute(rest: string): Route | undefined {
  const manifest = MANIFEST.exec(rest);
  if (manifest !== null)
    return { kind: 'manifest', repository: nameOf(manifest[1]), reference: referenceOf(manifest[2] ?? '') };
  const blob = BLOB.exec(rest);
  return blob === null ? undefined : { kind: 'blob', repository: nameOf(blob[1]), digest: digestFrom(blob[2] ?? '') };
}

function discoveryRoute(rest: string): Route | undefined {
  const tags = TAGS.exec(rest);
  if (tags !== null) return { kind: 'tags', repository: nameOf(tags[1]) };
  const referrers = REFERRERS.exec(rest);
  if (referrers === null) return undefined;
  return { kind: 'referrers', repository: nameOf(referrers[1]), digest: digestFrom(referrers[2] ?? '') };
}

function nameOf(text = ''): string {
  if (isRepositoryName(text)) return text;
  throw refusal('NAME_INVALID', { detail: { name: text } });
}

/** @throws RegistryError `DIGEST_INVALID` */
export function digestFrom(text: string): ContentDigest {
  if (isContentDigest(text)) return text;
  throw refusal('DIGEST_INVALID', {
    message: 'that is no digest: sha256 or sha512, and lower-case hexadecimal digits',
    detail: { digest: text },
  });
}

function referenceOf(text: string): ManifestReference {
  if (isContentDigest(text)) return { kind: 'digest', digest: text };
  if (isTag(text)) return { kind: 'tag', tag: text };
  if (text.includes(':')) throw digestErrorOf(text);
  throw refusal('MANIFEST_INVALID', { message: 'that is neither a tag nor a digest', detail: { reference: text } });
}

function digestErrorOf(text: string): Error {
  return refusal('DIGEST_INVALID', { message: 'that is no digest', detail: { digest: text } });
}
