import { UserError } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';

/** An image reference with its defaults filled in: `docker.io/library/debian:bookworm`. */
export interface Reference {
  /** Registry host with optional port, e.g. `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** Path inside the registry, e.g. `library/debian`. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DOMAIN =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?$/;

/**
 * Parses a reference as Docker does (distribution/reference): a missing registry is `docker.io`, a missing
 * organisation there is `library`, and a missing tag is `latest` unless a digest is given.
 * @throws UserError `invalid-reference`
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const { domain, path } = splitDomain(name);
  if (!DOMAIN.test(domain) || !PATH.test(path)) throw invalid(text);
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text);
  return { domain, path, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The short form that people write: without `docker.io/library/`. */
export function familiarName(reference: Pick<Reference, 'domain' | 'path'>): string {
  if (reference.domain !== 'docker.io') return `${reference.domain}/${reference.path}`;
  return reference.path.replace(/^library\//, '');
}

/** The short form with tag and digest, e.g. `debian:bookworm`. */
export function familiarString(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${familiarName(reference)}${tag}${digest}`;
}

function splitReference(text: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  if (colon <= rest.lastIndexOf('/')) return { name: rest, tag: undefined, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasDomain =
    first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  if (hasDomain && first !== 'docker.io' && first !== 'index.docker.io') {
    return { domain: first, path: name.slice(slash + 1) };
  }
  const path = hasDomain ? name.slice(slash + 1) : name;
  return { domain: 'docker.io', path: path.includes('/') ? path : `library/${path}` };
}

function invalid(text: string): UserError {
  return new UserError({
    code: 'invalid-reference',
    kind: 'invalid',
    message: `invalid reference format: "${text}" is not an image reference`,
    fix: 'Write it as [REGISTRY/]NAME[:TAG][@sha256:DIGEST]; the name is in lower case.',
  });
}
