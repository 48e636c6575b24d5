import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { Digest } from '../../../lib/oci/index.ts';
import { discard } from './answers.ts';
import type { Repository } from './repository.ts';
import { cancel, endUpload, startUpload, uploadCall } from './upload.ts';

const BUFFER_BYTES = 1024 * 1024;

/**
 * An upload that goes out while its content is made: one chunk without a length (OCI Distribution Specification, "Pushing a blob
 * in chunks"). It is tried once; whoever has the content may go on where it broke off.
 */
export interface GrowingUpload {
  /** Where the upload is; for whoever goes on. */
  readonly location: URL;
  /** Waits until more may come. Bytes for a connection that broke off are let go. */
  write(data: Uint8Array): Promise<void>;
  /** @returns undefined when the blob is there, else why it is not */
  finish(digest: Digest): Promise<unknown>;
  /** The content will not be whole. */
  breakOff(): Promise<void>;
}

/** @throws UserError as `Repository.call` */
export async function startGrowingUpload(o: {
  readonly repository: Repository;
  /** For people. */
  readonly what: string;
  readonly signal: AbortSignal;
}): Promise<GrowingUpload> {
  const { repository, what, signal } = o;
  const location = await startUpload(o);
  const body = new PassThrough({ highWaterMark: BUFFER_BYTES });
  body.on('error', () => {}); // the call tells
  const call = uploadCall(o, { method: 'PATCH', at: location, expect: [202], what });
  const answered = repository.call({ ...call, body: { open: onceOnly(body), length: undefined } });
  const settled = answered.then(
    () => {},
    () => {},
  );
  return {
    location,
    async write(data) {
      if (body.destroyed || body.write(data)) return;
      await Promise.race([once(body, 'drain').catch(() => {}), settled]);
    },
    async finish(digest) {
      body.end();
      try {
        const { body: said, headers } = await answered;
        await discard(said);
        const next = headers.location === undefined ? location : repository.addressOf(headers.location, location.href);
        await endUpload(o, { location: next, digest });
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        return error;
      }
    },
    async breakOff() {
      body.destroy(new Error('the content is not whole'));
      await settled;
      await cancel(o, location);
    },
  };
}

/** What went out is gone: with new credentials, say, it has to be sent by whoever has it still. */
function onceOnly(body: Readable): () => Readable {
  let isOpen = false;
  return () => {
    if (isOpen) throw Object.assign(new Error('the content has gone out already'), { code: 'ECONNRESET' });
    isOpen = true;
    return body;
  };
}
