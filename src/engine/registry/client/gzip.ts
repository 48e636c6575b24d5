import type { ThreadPool } from '../../../lib/thread-pool.ts';
import type { Sink } from '../../image/index.ts';
import { gzipMember } from './gzip-member.ts';

/** Of what is compressed, in each piece but the last. */
export const BLOCK_BYTES = 1024 * 1024;
/** Compressed at once by whoever waits: a thread would take longer. */
const SMALL_BYTES = 64 * 1024;
/** Under way at the same time: more than there are processors, so that none waits. */
const MOST_UNDER_WAY = 6;

export interface Compressor extends Sink {
  /** All of it has been taken. */
  end(): Promise<void>;
}

/**
 * Compresses in threads: what comes is cut into blocks, each a gzip member of its own; many members are one gzip file
 * (RFC 1952, section 2.2). The same bytes give the same members, however they come.
 * @param o.pool does `gzipMember`
 * @param o.take gets the members in their order, one at a time
 */
export function createCompressor(o: {
  readonly pool: ThreadPool;
  readonly signal?: AbortSignal;
  take(member: Uint8Array): Promise<void>;
}): Compressor {
  let block = Buffer.allocUnsafeSlow(0);
  let length = 0;
  let blocks = 0;
  let failure: { readonly error: unknown } | undefined;
  const underWay: Promise<void>[] = [];
  const push = (member: Promise<Uint8Array> | Uint8Array): void => {
    const before = underWay.at(-1) ?? Promise.resolve();
    const both = Promise.all([member, before]).then(([data]) => (failure === undefined ? o.take(data) : undefined));
    underWay.push(
      both.catch((error: unknown) => {
        failure ??= { error };
      }),
    );
    blocks++;
  };
  const waitFor = async (most: number): Promise<void> => {
    while (underWay.length > most) await underWay.shift();
    if (failure !== undefined) throw failure.error;
    o.signal?.throwIfAborted();
  };
  return {
    write(data) {
      for (let taken = 0; taken < data.length;) {
        if (block.length === 0) block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
        const copied = data.copy(block, length, taken);
        taken += copied;
        length += copied;
        if (length < BLOCK_BYTES) continue;
        push(o.pool.do(block));
        block = Buffer.allocUnsafeSlow(0);
        length = 0;
      }
    },
    flush: () => waitFor(MOST_UNDER_WAY),
    async end() {
      const rest = block.subarray(0, length);
      if (length > SMALL_BYTES) push(o.pool.do(new Uint8Array(rest)));
      else if (length > 0 || blocks === 0) push(gzipMember(rest));
      await waitFor(0);
    },
  };
}
