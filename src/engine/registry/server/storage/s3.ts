import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { S3Client, S3Errors } from '@bradenmacdonald/s3-lite-client';
import { messageOf, UserError } from '../../../../lib/errors.ts';
import { algorithmOf, hexPart, isContentDigest, type ContentDigest } from '../digests.ts';
import type { BlobStorage, RecordName, RecordStorage, StoredBlob, StoredRecord } from './face.ts';

export interface S3Settings {
  /** `https://s3.example.org`, with a path where the service has one. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Begins every name in the bucket, e.g. `registry/`. */
  readonly prefix: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Parts of a big blob: four of them are in memory at a time, and S3 allows 10,000. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_LIMIT = 9_000;
const READ_BYTES = 256 * 1024;

/**
 * Blobs and records in a bucket of an S3-compatible store. Blobs are whole and verified on this machine's disk before they
 * go there, in parts where they are big. The bucket is the truth: a registry with an empty database is made anew of it.
 * @throws UserError `registry-bucket-unusable`
 */
export async function openS3Storage(settings: S3Settings): Promise<BlobStorage> {
  const client = new S3Client({
    endPoint: settings.endpoint,
    region: settings.region,
    bucket: settings.bucket,
    accessKey: settings.accessKey,
    secretKey: settings.secretKey,
    pathStyle: true,
  });
  await requireBucket(client, settings);
  const blobPrefix = `${settings.prefix}blobs/`;
  const keyOf = (digest: ContentDigest): string => {
    const hex = hexPart(digest);
    return `${blobPrefix}${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}`;
  };
  return {
    kind: 's3',
    async read(digest, { range }) {
      const response =
        range === undefined
          ? await client.getObject(keyOf(digest))
          : await client.getPartialObject(keyOf(digest), { offset: range.start, length: range.end - range.start + 1 });
      return fromWeb(response);
    },
    async take(digest, { path, sizeBytes }) {
      const file = createReadStream(path, { highWaterMark: READ_BYTES });
      await client.putObject(keyOf(digest), Readable.toWeb(file) as ReadableStream<Uint8Array<ArrayBuffer>>, {
        size: sizeBytes,
        partSize: Math.max(PART_BYTES, Math.ceil(sizeBytes / PARTS_LIMIT)),
      });
      await rm(path, { force: true });
    },
    remove: (digest) => removeIfThere(client, keyOf(digest)),
    list: () => listBlobs(client, blobPrefix),
    records: recordsIn(client, `${settings.prefix}repositories/`),
  };
}

async function requireBucket(client: S3Client, { bucket, endpoint }: S3Settings): Promise<void> {
  try {
    if (await client.bucketExists(bucket)) return;
  } catch (cause) {
    throw unusable(`${endpoint} does not give the bucket ${bucket}: ${messageOf(cause)}`, cause);
  }
  throw unusable(`there is no bucket ${bucket} at ${endpoint}`, undefined);
}

async function* listBlobs(client: S3Client, prefix: string): AsyncGenerator<StoredBlob> {
  for await (const { key, size, lastModified } of client.listObjects({ prefix })) {
    const [algorithm, , hex] = key.slice(prefix.length).split('/');
    const digest = `${algorithm}:${hex}`;
    if (isContentDigest(digest)) yield { digest, sizeBytes: size, storedAt: lastModified };
  }
}

/** `<name>/_manifests/<algorithm>/<digits>` with the media type as content type; `<name>/_tags/<tag>` with the digest. */
function recordsIn(client: S3Client, prefix: string): RecordStorage {
  return {
    async put(record) {
      const { bytes, contentType } =
        record.kind === 'manifest'
          ? { bytes: new Uint8Array(record.bytes), contentType: record.mediaType }
          : { bytes: new TextEncoder().encode(record.digest), contentType: 'text/plain' };
      await client.putObject(`${prefix}${recordKey(record)}`, bytes, { metadata: { 'Content-Type': contentType } });
    },
    remove: (name) => removeIfThere(client, `${prefix}${recordKey(name)}`),
    list: () => listRecords(client, prefix),
  };
}

function recordKey(name: RecordName): string {
  if (name.kind === 'tag') return `${name.repository}/_tags/${name.tag}`;
  return `${name.repository}/_manifests/${algorithmOf(name.digest)}/${hexPart(name.digest)}`;
}

const MANIFEST_KEY = /^(.+)\/_manifests\/(sha256|sha512)\/([0-9a-f]+)$/;
const TAG_KEY = /^(.+)\/_tags\/([^/]+)$/;

async function* listRecords(client: S3Client, prefix: string): AsyncGenerator<StoredRecord> {
  const tags: string[] = [];
  for await (const { key } of client.listObjects({ prefix })) {
    const match = MANIFEST_KEY.exec(key.slice(prefix.length));
    if (match === null) {
      tags.push(key);
      continue;
    }
    const [, repository = '', algorithm, hex] = match;
    const digest = `${algorithm}:${hex}`;
    if (!isContentDigest(digest)) continue;
    const response = await client.getObject(key);
    const bytes = Buffer.from(await response.arrayBuffer());
    yield { kind: 'manifest', repository, digest, mediaType: response.headers.get('content-type') ?? '', bytes };
  }
  for (const key of tags) {
    const match = TAG_KEY.exec(key.slice(prefix.length));
    const digest = match === null ? '' : (await (await client.getObject(key)).text()).trim();
    if (match === null || !isContentDigest(digest)) continue;
    yield { kind: 'tag', repository: match[1] ?? '', tag: match[2] ?? '', digest };
  }
}

async function removeIfThere(client: S3Client, key: string): Promise<void> {
  try {
    await client.deleteObject(key);
  } catch (error) {
    if (!(error instanceof S3Errors.ServerError && error.statusCode === 404)) throw error;
  }
}

function fromWeb(response: Response): Readable {
  return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body);
}

function unusable(message: string, cause: unknown): UserError {
  return new UserError({
    code: 'registry-bucket-unusable',
    kind: 'unavailable',
    message,
    fix: 'Check registry.s3.* (`bascule daemon config`): address, region, bucket and keys. The bucket must be there already.',
    ...(cause === undefined ? {} : { cause }),
  });
}
