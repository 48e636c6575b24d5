import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Transform, type Readable } from 'node:stream';
import { newId } from '../../../lib/id.ts';
import type { ImageStore } from '../../image/index.ts';
import { asEngineDigest, type ContentDigest } from './digests.ts';
import type { ByteRange } from './ranges.ts';

/** What the engine's store has under a digest: a layer as its uncompressed archive, or an image's configuration. */
export type SharedFind =
  | { readonly kind: 'layer'; readonly sizeBytes: number }
  | { readonly kind: 'config'; readonly sizeBytes: number };

/** The engine's store as blobs: a layer's diffId and an image's id are digests of bytes that it can give. */
export interface SharedContent {
  find(digest: ContentDigest): SharedFind | undefined;
  /** A layer's archive, or some of its bytes, made as they are read. */
  read(
    digest: ContentDigest,
    o: { readonly range?: ByteRange; readonly sizeBytes: number; readonly signal: AbortSignal },
  ): Readable;
  /** Writes an image's configuration to a file. */
  copyConfig(digest: ContentDigest): Promise<{ readonly path: string; readonly sizeBytes: number }>;
}

/** @param directory for files that are made of configurations */
export function shareImages(images: ImageStore, directory: string): SharedContent {
  return {
    find: (digest) => find(images, digest),
    read: (digest, o) => read(images, { digest, ...o }),
    async copyConfig(digest) {
      const bytes = images.configBytes(required(digest));
      const path = join(directory, `config-${newId().slice(0, 16)}`);
      await writeFile(path, bytes, { mode: 0o600 });
      return { path, sizeBytes: bytes.length };
    },
  };
}

function find(images: ImageStore, digest: ContentDigest): SharedFind | undefined {
  const known = asEngineDigest(digest);
  if (known === undefined) return undefined;
  if (images.findLayer(known) !== undefined) return { kind: 'layer', sizeBytes: images.layerTarBytes(known) };
  if (images.find(known)?.id !== known) return undefined;
  return { kind: 'config', sizeBytes: images.configBytes(known).length };
}

function read(
  images: ImageStore,
  o: { digest: ContentDigest; range?: ByteRange; sizeBytes: number; signal: AbortSignal },
): Readable {
  const stop = new AbortController();
  const signal = AbortSignal.any([o.signal, stop.signal]);
  const out = o.range === undefined ? new PassThrough() : slice(o.range, () => stop.abort());
  images.writeLayerTar(required(o.digest), out, signal).then(
    () => out.end(),
    (error: unknown) => {
      if (!stop.signal.aborted) out.destroy(error as Error);
    },
  );
  return out;
}

/** Lets some bytes of what is written to it pass; calls back when the rest is not wanted. */
function slice({ start, end }: ByteRange, onEnough: () => void): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const from = Math.max(0, start - at);
      const to = Math.min(chunk.length, end + 1 - at);
      at += chunk.length;
      if (from < to) this.push(chunk.subarray(from, to));
      if (at > end && at - chunk.length <= end) {
        this.push(null);
        onEnough();
      }
      done();
    },
  });
}

function required(digest: ContentDigest) {
  const known = asEngineDigest(digest);
  if (known === undefined) throw new Error(`not of the engine's store: ${digest}`);
  return known;
}
