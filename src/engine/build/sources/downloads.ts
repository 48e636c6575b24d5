import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DatabaseSync } from 'node:sqlite';
import { UserError } from '../../../lib/errors.ts';
import { newId } from '../../../lib/id.ts';
import { withoutSync } from '../../../lib/database.ts';
import type { CacheRecord } from '../face.ts';
import { keyOf } from '../plan/key.ts';
import { httpFetch, shownUrl, unreachableUrl } from './http.ts';

/** A file behind a URL, as it is now. */
export interface Download {
  /** `sha256:…` of its bytes. */
  readonly digest: string;
  /** On this host: with mode 0600, and the time that the server says. */
  readonly path: string;
}

export interface DownloadRequest {
  readonly url: string;
  /** `sha256:…` that the bytes must have; what was fetched with it before is not asked for again. */
  readonly checksum: string | undefined;
  readonly signal: AbortSignal;
}

/** Files that ADD fetched. They are kept, so that an unchanged one costs a conditional request. */
export interface Downloads {
  /** @throws UserError `url-unreachable`, `checksum-mismatch`, `download-too-large` */
  fetch(request: DownloadRequest): Promise<Download>;
  list(): readonly CacheRecord[];
  /** @returns bytes that were freed; what is being fetched stays */
  remove(keys: readonly string[]): Promise<number>;
}

/** Of one file; an archive of more is no thing to ADD. */
const MOST_BYTES = 32 * 1024 ** 3;

interface Row {
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly digest: string;
}

/** @param directory it is made when the first file comes */
export function createDownloads(
  directory: string,
  database: DatabaseSync,
  proxies: Readonly<Record<string, string>>,
): Downloads {
  const find = database.prepare(
    'SELECT etag, last_modified AS lastModified, digest FROM build_downloads WHERE key = ?',
  );
  const store = database.prepare(
    `INSERT INTO build_downloads VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, last_modified = excluded.last_modified,
       digest = excluded.digest, size_bytes = excluded.size_bytes, last_used_at = excluded.last_used_at,
       usage_count = usage_count + 1`,
  );
  const touch = database.prepare(
    'UPDATE build_downloads SET last_used_at = ?, usage_count = usage_count + 1 WHERE key = ?',
  );
  const running = new Map<string, Promise<Download>>();

  async function known(key: string): Promise<Row | undefined> {
    const row = find.get(key) as Row | undefined;
    const isThere = row !== undefined && (await stat(join(directory, key)).catch(() => undefined)) !== undefined;
    return isThere ? row : undefined;
  }

  async function fetch(key: string, request: DownloadRequest): Promise<Download> {
    const { url, checksum, signal } = request;
    const path = join(directory, key);
    const row = await known(key);
    const again = ({ digest }: Row): Download => {
      withoutSync(database, () => void touch.run(Date.now(), key));
      return { digest, path };
    };
    if (row !== undefined && row.digest === checksum) return again(row);
    const response = await httpFetch({ url, headers: conditionsOf(row), proxies, signal });
    if (response.statusCode === 304 && row !== undefined) {
      response.resume();
      refuseOther(request, row.digest);
      return again(row);
    }
    if (response.statusCode !== 200) {
      response.resume();
      throw unreachableUrl(url, `the server answered ${response.statusCode} ${response.statusMessage ?? ''}`.trim());
    }
    const digest = await receive(response, { ...request, path, directory });
    const { etag, 'last-modified': lastModified } = response.headers;
    const { size } = await stat(path);
    const now = Date.now();
    const values = [key, `ADD ${shownUrl(url)}`, etag ?? null, lastModified ?? null, digest, size, now, now];
    withoutSync(database, () => void store.run(...values));
    return { digest, path };
  }

  return {
    async fetch(request) {
      const key = keyOf('download', request.url).slice(0, 40);
      const other = running.get(key);
      if (other !== undefined) await other.catch(() => {}); // then it costs a conditional request
      const own = fetch(key, request);
      running.set(key, own);
      try {
        return await own;
      } finally {
        if (running.get(key) === own) running.delete(key);
      }
    },
    list: () =>
      database
        .prepare('SELECT * FROM build_downloads')
        .all()
        .map((row) => recordOf(row, running.has(String(row['key'])))),
    async remove(keys) {
      let bytes = 0;
      for (const key of keys.filter((name) => !running.has(name))) {
        bytes += (await stat(join(directory, key)).catch(() => undefined))?.size ?? 0;
        database.prepare('DELETE FROM build_downloads WHERE key = ?').run(key);
        await rm(join(directory, key), { force: true });
      }
      return bytes;
    },
  };
}

function recordOf(row: Readonly<Record<string, unknown>>, isInUse: boolean): CacheRecord {
  return {
    key: String(row['key']),
    description: String(row['description']),
    diffId: undefined,
    sizeBytes: Number(row['size_bytes']),
    createdAt: new Date(Number(row['created_at'])),
    lastUsedAt: new Date(Number(row['last_used_at'])),
    usageCount: Number(row['usage_count']),
    type: 'source.http',
    isInUse,
  };
}

/** Removes what was being fetched when the daemon was killed. */
export async function prepareDownloads(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const partial = names.filter((name) => name.startsWith('partial-'));
  await Promise.all(partial.map((name) => rm(join(directory, name), { force: true })));
}

/** RFC 9110, 13.1: a 304 answer says that what we have is still it. */
function conditionsOf(row: Row | undefined): Readonly<Record<string, string>> {
  if (row === undefined) return {};
  if (row.etag !== null) return { 'if-none-match': row.etag };
  return row.lastModified === null ? {} : { 'if-modified-since': row.lastModified };
}

/** Writes what comes under another name, checks it, and puts it in its place. @returns its digest */
async function receive(
  response: IncomingMessage,
  o: DownloadRequest & { readonly path: string; readonly directory: string },
): Promise<string> {
  await mkdir(o.directory, { recursive: true, mode: 0o700 });
  const partial = join(o.directory, `partial-${newId().slice(0, 16)}`);
  const hash = createHash('sha256');
  try {
    const guard = createGuard(response, o.url);
    guard.on('data', (data: Buffer) => hash.update(data));
    await pipeline(response, guard, createWriteStream(partial, { mode: 0o600 }), { signal: o.signal });
    const digest = `sha256:${hash.digest('hex')}`;
    refuseOther(o, digest);
    await chmod(partial, 0o600);
    const time = timeOf(response.headers['last-modified']);
    await utimes(partial, time, time);
    await rename(partial, o.path);
    return digest;
  } catch (error) {
    await rm(partial, { force: true });
    if (error instanceof UserError || o.signal.aborted) throw error;
    throw unreachableUrl(o.url, 'the connection broke off', error);
  }
}

/** Lets through what was announced, and no more than anybody needs. */
function createGuard(response: IncomingMessage, url: string): Transform {
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  let bytes = 0;
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      bytes += data.length;
      done(bytes > MOST_BYTES || announced > MOST_BYTES ? tooLarge(url) : null, data);
    },
    flush(done) {
      const isWhole = Number.isNaN(announced) || announced === bytes;
      done(isWhole ? null : unreachableUrl(url, `it ended after ${bytes} of ${announced} bytes`));
    },
  });
}

/** Whole seconds since 1970; now where the server does not say (Dockerfile reference: ADD). */
function timeOf(lastModified: string | undefined): number {
  const time = Date.parse(lastModified ?? '');
  return Math.floor((Number.isNaN(time) ? Date.now() : time) / 1_000);
}

function refuseOther({ url, checksum }: DownloadRequest, digest: string): void {
  if (checksum === undefined || checksum === digest) return;
  throw new UserError({
    code: 'checksum-mismatch',
    kind: 'invalid',
    message: `${shownUrl(url)} has the digest ${digest}, not ${checksum}`,
    fix: 'The file has changed, or is not the one that was meant: look at it before you change --checksum.',
  });
}

function tooLarge(url: string): UserError {
  return new UserError({
    code: 'download-too-large',
    kind: 'invalid',
    message: `${shownUrl(url)} has more than ${MOST_BYTES / 1024 ** 3} GiB`,
    fix: 'Fetch it in a RUN step, into a cache mount.',
  });
}
