import { createHash } from 'node:crypto';
import { once } from 'node:events';
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

/** Small pieces are gathered: one write to the stream a flush. The stream's error rejects the flush. */
export function createStreamSink(stream: Writable, signal?: AbortSignal): Sink {
  let pieces: Buffer[] = [];
  let failure: unknown;
  stream.on('error', (error) => (failure ??= error));
  return {
    write: (data) => void pieces.push(data),
    async flush() {
      signal?.throwIfAborted();
      if (failure !== undefined) throw failure;
      if (stream.destroyed) throw new Error('the receiver closed the stream');
      const data = Buffer.concat(pieces);
      pieces = [];
      if (data.length === 0 || stream.write(data)) return;
      await Promise.race([once(stream, 'drain'), closed(stream)]);
    },
  };
}

async function closed(stream: Writable): Promise<never> {
  await once(stream, 'close');
  throw new Error('the receiver closed the stream');
}
