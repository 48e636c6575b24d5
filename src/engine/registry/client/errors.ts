import { UserError, type ErrorKind } from '../../../lib/errors.ts';
import type { Platform } from '../../../lib/oci/index.ts';

/** What a registry sent is broken or hostile. */
export function invalidAnswer(registry: string, what: string): UserError {
  return new UserError({
    code: 'registry-invalid',
    kind: 'failed',
    message: `what the registry ${registry} sent is refused: ${what}`,
    fix: 'Nothing of it was kept. Ask who runs the registry, or push the image there again.',
  });
}

export function denied(registry: string, o: { what: string; said: string; hasCredential: boolean }): UserError {
  return new UserError({
    code: 'registry-denied',
    kind: 'denied',
    message: `the registry ${registry} refused access to ${o.what}${o.said}`,
    fix: o.hasCredential
      ? `The credentials that it knows do not suffice: \`bascule login ${registry}\` gives it others.`
      : `It may be private: log in with \`bascule login ${registry}\`. Check the name, too.`,
  });
}

export function manifestUnknown(reference: string): UserError {
  return new UserError({
    code: 'manifest-unknown',
    kind: 'not-found',
    message: `manifest for ${reference} not found: manifest unknown`,
    fix: 'Check the name and the tag.',
  });
}

export function blobUnknown(registry: string, digest: string): UserError {
  return new UserError({
    code: 'blob-unknown',
    kind: 'not-found',
    message: `the registry ${registry} does not have the blob ${digest} that its manifest names`,
    fix: 'Push the image there again.',
  });
}

const KINDS: Readonly<Record<number, ErrorKind>> = { 400: 'invalid', 404: 'not-found', 405: 'unsupported' };

/** Any other answer that is no success. */
export function refusedBy(registry: string, o: { status: number; what: string; said: string }): UserError {
  return new UserError({
    code: 'registry-refused',
    kind: KINDS[o.status] ?? (o.status >= 500 || o.status === 429 ? 'unavailable' : 'failed'),
    message: `the registry ${registry} answered ${o.status} to ${o.what}${o.said}`,
    fix: o.status === 429 ? 'It limits requests: wait, or log in.' : 'The message above is from the registry.',
    details: { status: o.status },
  });
}

const UNREACHABLE_FIX = 'Check the name, the network, and whether a proxy is needed (HTTPS_PROXY, NO_PROXY).';
const WITHOUT_REGISTRY = ' Base images can be made without a registry: `bascule image bootstrap debian:bookworm`.';

export function unreachableRegistry(registry: string, o: { reason: string; fix?: string; cause?: unknown }): UserError {
  return new UserError({
    code: 'registry-unreachable',
    kind: 'unavailable',
    message: `cannot reach the registry ${registry}: ${o.reason}`,
    fix: o.fix ?? `${UNREACHABLE_FIX}${registry === 'docker.io' ? WITHOUT_REGISTRY : ''}`,
    cause: o.cause,
  });
}

export function platformUnknown(reference: string, o: { wanted: Platform; offered: readonly string[] }): UserError {
  const offers = o.offered.length === 0 ? '' : `; it has ${o.offered.join(', ')}`;
  return new UserError({
    code: 'platform-unknown',
    kind: 'not-found',
    message: `no matching manifest for ${platformText(o.wanted)} in the manifest list entries of ${reference}${offers}`,
    fix: 'Choose another platform with --platform, or another tag.',
  });
}

export function schema1(reference: string): UserError {
  return new UserError({
    code: 'manifest-outdated',
    kind: 'unsupported',
    message: `${reference} is stored in Docker's image format of before 2016 (schema 1)`,
    fix: 'Push it again with a newer Docker, or copy it once with `skopeo copy --format v2s2`.',
  });
}

export function noImage(reference: string, mediaType: string): UserError {
  return new UserError({
    code: 'manifest-no-image',
    kind: 'invalid',
    message: `${reference} is no container image (${mediaType})`,
    fix: 'Name an image.',
  });
}

/** Docker's words. */
export function foreignSystem(reference: string, os: string): UserError {
  return new UserError({
    code: 'image-os-unsupported',
    kind: 'unsupported',
    message: `image operating system "${os}" cannot be used on this platform: ${reference}`,
    fix: 'Use an image for Linux.',
  });
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}
