import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import type { Digest } from '../../lib/oci/index.ts';

/** Takes bytes at once, and says with `flush` when more may come. */
export interface Sink {
  write(data: Buffer): void;
  flush(): Promise<void>;
}

export interface DigestSink extends Sink {
  /** Of everything written; the sink takes nothing more. */
  digest(): Digest;
  length(): number;
}

/** Computes a digest, and passes the bytes on to `next`. */
export function createDigestSink(next?: Sink): DigestSink {
  const hash = createHash('sha256');
  let length = 0;
  return {
    write(data) {
      hash.update(data);
      length += data.length;
      next?.write(data);
    },
    flush: () => next?.flush() ?? Promise.resolve(),
    digest: () => `sha256:${hash.digest('hex')}`,
    length: () => length,
  };
}

/** Small pieces are gathered: one write to the stream a flush. The stream's error or end rejects the flush. */
export function createStreamSink(stream: Writable, signal?: AbortSignal): Sink {
  let pieces: Buffer[] = [];
  let failure: Error | undefined;
  let waiting: PromiseWithResolvers<void> | undefined;
  stream.on('drain', () => waiting?.resolve());
  stream.on('error', (error: Error) => (failure ??= error));
  stream.on('close', () => waiting?.reject(failure ?? receiverGone()));
  return {
    write: (data) => void pieces.push(data),
    async flush() {
      signal?.throwIfAborted();
      if (stream.destroyed) throw failure ?? receiverGone();
      const data = Buffer.concat(pieces);
      pieces = [];
      if (data.length === 0 || stream.write(data)) return;
      waiting = Promise.withResolvers();
      await waiting.promise;
    },
  };
}

function receiverGone(): Error {
  return new Error('the receiver closed the stream');
}
