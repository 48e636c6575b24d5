import { createHash } from 'node:crypto';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { isDigest, type Descriptor, type Digest } from '../../../lib/oci/index.ts';
import { readBounded } from './answers.ts';
import { blobUnknown, invalidAnswer } from './errors.ts';
import { explained, isPassing } from './failures.ts';
import type { Repository } from './repository.ts';
import { waitToRetry, type RetryLimits } from './retry.ts';
import type { HttpAnswer } from './transport.ts';

export interface BlobDownload {
  readonly repository: Repository;
  /** `urls`: where it may be fetched from where the registry has it not (OCI Image Specification, Descriptors). */
  readonly blob: Pick<Descriptor, 'digest' | 'size'> & { readonly urls?: readonly string[] };
  readonly retry: RetryLimits;
  readonly onBytes?: (bytes: number) => void;
  readonly onRetry?: (reason: string) => void;
  readonly signal?: AbortSignal;
}

/** Of the addresses that a manifest names for one blob, so many are tried: whoever writes it chooses whom we call. */
const MAX_FOREIGN = 3;
/** Attempts of one blob in all, however far each of them came. */
const MAX_ATTEMPTS = 50;

/**
 * The bytes of a blob as they come. A connection that breaks is taken up where it broke (Range). The end comes only
 * when size and digest are right; else an error does.
 * @throws UserError `registry-invalid`, `blob-unknown` and those of `Repository.call`
 */
export async function* blobBytes(o: BlobDownload): AsyncGenerator<Buffer> {
  const { repository, blob, retry, signal } = o;
  const hash = createHash('sha256');
  let offset = 0;
  let fruitless = 0;
  for (let attempt = 1; offset < blob.size || attempt === 1; attempt++) {
    const before = offset;
    try {
      for await (const chunk of rest(o, offset)) {
        hash.update(chunk);
        offset += chunk.length;
        o.onBytes?.(offset);
        yield chunk;
      }
      if (offset < blob.size) throw Object.assign(new Error('it ended early'), { code: 'ECONNRESET' });
    } catch (error) {
      signal?.throwIfAborted();
      fruitless = offset > before ? 1 : fruitless + 1;
      const isLast = fruitless >= retry.attempts || attempt >= MAX_ATTEMPTS;
      if (isLast || !isPassing(error)) throw explained(repository.registry, error);
      o.onRetry?.((error as Error).message);
      await waitToRetry(fruitless, { firstDelayMs: retry.firstDelayMs, signal });
    }
  }
  const actual: Digest = `sha256:${hash.digest('hex')}`;
  if (actual !== blob.digest)
    throw invalidAnswer(repository.registry, `a blob should be ${blob.digest} and is ${actual}`);
}

/** From an offset on; what comes too much is refused. */
async function* rest(o: BlobDownload, offset: number): AsyncGenerator<Buffer> {
  const { repository, blob } = o;
  const answer = await request(o, offset);
  let skip = answer.status === 206 ? 0 : offset;
  let left = blob.size - offset;
  try {
    for await (const piece of answer.body) {
      const chunk = (piece as Buffer).subarray(skip);
      skip -= (piece as Buffer).length - chunk.length;
      if (chunk.length > left) throw tooLong(o);
      left -= chunk.length;
      if (chunk.length > 0) yield chunk;
    }
  } finally {
    answer.body.destroy();
  }
  if (left > 0 && answer.headers['content-length'] !== undefined && answer.body.complete)
    throw invalidAnswer(repository.registry, `the blob ${blob.digest} should have ${blob.size} bytes and has fewer`);
}

async function request(o: BlobDownload, offset: number): Promise<HttpAnswer> {
  const { repository, blob } = o;
  const answer = await requestAnywhere(o, offset);
  const start = answer.status === 206 ? /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] : undefined;
  if (answer.status === 206 && Number(start) !== offset) {
    answer.body.destroy();
    throw invalidAnswer(
      repository.registry,
      `it was asked for bytes of ${blob.digest} from ${offset} on and gave others`,
    );
  }
  return answer;
}

async function requestAnywhere(o: BlobDownload, offset: number): Promise<HttpAnswer> {
  const { repository, blob } = o;
  for (const at of [`blobs/${blob.digest}`, ...(await foreignAddresses(o))]) {
    const answer = await repository.call({
      method: 'GET',
      at,
      headers: { 'accept-encoding': 'identity', ...(offset === 0 ? {} : { range: `bytes=${offset}-` }) },
      expect: [200, 206, 404],
      what: `the blob ${blob.digest}`,
      once: offset > 0, // the caller counts
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    if (answer.status !== 404) return answer;
    answer.body.destroy();
  }
  throw blobUnknown(repository.registry, blob.digest);
}

/** Without TLS only where the registry itself has none. Nothing of the registry's credentials goes there. */
async function foreignAddresses({ repository, blob }: BlobDownload): Promise<readonly URL[]> {
  if (blob.urls === undefined) return [];
  const origin = new URL(await repository.origin());
  const urls = blob.urls
    .slice(0, MAX_FOREIGN)
    .map((text) => URL.parse(text))
    .filter((url) => url !== null);
  return urls.filter(({ protocol }) => protocol === 'https:' || (protocol === 'http:' && origin.protocol === 'http:'));
}

function tooLong({ repository, blob }: BlobDownload): Error {
  return invalidAnswer(
    repository.registry,
    `the blob ${blob.digest} has more than the ${blob.size} bytes it should have`,
  );
}

/** A whole blob or manifest, not verified yet. */
export async function bodyOf(
  repository: Repository,
  o: { answer: HttpAnswer; maxBytes: number; what: string },
): Promise<Buffer> {
  try {
    return await readBounded(o.answer.body, o.maxBytes);
  } catch (error) {
    if (systemCodeOf(error) !== 'EMSGSIZE') throw explained(repository.registry, error);
    throw invalidAnswer(repository.registry, `${o.what} has more than ${o.maxBytes} bytes`);
  }
}

/** Of several that have the same, the first that gives it. What a mirror does not give, the registry itself does. */
export async function fromFirst<T>(
  repositories: readonly Repository[],
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  for (const repository of repositories.slice(0, -1)) {
    try {
      return await work(repository);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  return await work(repositories.at(-1)!);
}

export function checkedDigest(text: string | undefined): Digest | undefined {
  return text !== undefined && isDigest(text) ? text : undefined;
}
