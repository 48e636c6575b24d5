import { createHash, type Hash } from 'node:crypto';
import { isDigest, type Digest } from '../../../lib/oci/index.ts';

type Algorithm = 'sha256' | 'sha512';

/** A digest of one of the registered algorithms (OCI Image Specification, Descriptors: Registered Algorithms). */
export type ContentDigest = `${Algorithm}:${string}`;

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isContentDigest(text: string): text is ContentDigest {
  return PATTERN.test(text);
}

/** Digests of layers and configurations in the engine's store are of this algorithm. */
export function asEngineDigest(digest: ContentDigest): Digest | undefined {
  return isDigest(digest) ? digest : undefined;
}

export function algorithmOf(digest: ContentDigest): Algorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function hexPart(digest: ContentDigest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Bytes come, a digest goes out. */
export class DigestOf {
  readonly algorithm: Algorithm;
  readonly #hash: Hash;

  constructor(algorithm: Algorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  /** Once. */
  digest(): ContentDigest {
    return `${this.algorithm}:${this.#hash.digest('hex')}`;
  }
}

export function digestOfBytes(data: Uint8Array, algorithm: Algorithm = 'sha256'): ContentDigest {
  const sum = new DigestOf(algorithm);
  sum.update(data);
  return sum.digest();
}
