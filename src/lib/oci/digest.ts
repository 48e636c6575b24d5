import { lateCrypto } from '../late-crypto.ts';

/** `sha256:` and 64 hexadecimal digits (OCI Image Specification, Descriptors: Digests). */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${lateCrypto().createHash('sha256').update(data).digest('hex')}`;
}

/** The 64 hexadecimal digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/**
 * The chain identity of a stack of layers, bottom first
 * (OCI Image Specification, Image Configuration: Layer ChainID).
 */
export function chainIdOf(diffIds: readonly Digest[]): Digest | undefined {
  const [first, ...rest] = diffIds;
  if (first === undefined) return undefined;
  return rest.reduce<Digest>((chain, diffId) => digestOf(`${chain} ${diffId}`), first);
}
