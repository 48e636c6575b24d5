import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import type { Host } from '../../host.ts';

/**
 * Writes an archive to a file, or to standard output where none is named. A file appears only once it is whole.
 * @returns bytes
 */
export async function writeArchive(
  host: Host,
  { output, open: openArchive }: { readonly output: string | undefined; readonly open: () => Promise<Readable> },
): Promise<number> {
  if (output === undefined && host.stdout.isTTY === true) throw archiveOnTerminal();
  const counted = { bytes: 0 };
  const archive = await openArchive();
  if (output === undefined) await pipeline(archive, counting(counted), host.stdout, { end: false });
  else await writeFile(resolve(host.cwd, output), (sink) => pipeline(archive, counting(counted), sink));
  return counted.bytes;
}

async function writeFile(path: string, fill: (sink: Writable) => Promise<void>): Promise<void> {
  if (!(await isOrdinary(path))) return await fill(createWriteStream(path));
  const partial = `${path}.partial-${process.pid}`;
  try {
    await fill(createWriteStream(partial, { mode: 0o600, flush: true }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw PLACE_CODES.has(systemCodeOf(error) ?? '') ? unwritable(path, error) : error;
  }
}

const PLACE_CODES = new Set(['ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR', 'EROFS', 'ENOSPC', 'EDQUOT']);

/** Pipes and devices are written to as they are. */
async function isOrdinary(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || found.isFile();
}

function counting(counted: { bytes: number }) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      counted.bytes += chunk.length;
      yield chunk;
    }
  };
}

/** A file, or standard input. @throws UserError `archive-missing`, `file-unreadable` */
export async function input(host: Host, path: string | undefined): Promise<Readable> {
  if (path === undefined) {
    if (host.stdin.isTTY === true) throw archiveMissing();
    return host.stdin;
  }
  const file = await open(resolve(host.cwd, path)).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  return createReadStream('', { fd: file });
}

function archiveOnTerminal(): UserError {
  return new UserError({
    code: 'archive-on-terminal',
    kind: 'invalid',
    message: 'an archive is not for a terminal',
    fix: 'Name a file with --output, or pass it on: … | gzip > FILE.',
  });
}

function archiveMissing(): UserError {
  return new UserError({
    code: 'archive-missing',
    kind: 'invalid',
    message: 'no archive comes on standard input',
    fix: 'Name a file, or pass one in: … < FILE.',
  });
}

function unreadable(path: string, cause: unknown): UserError {
  const isMissing = systemCodeOf(cause) === 'ENOENT';
  return new UserError({
    code: isMissing ? 'file-missing' : 'file-unreadable',
    kind: isMissing ? 'not-found' : 'invalid',
    message: isMissing ? `there is no file ${path}` : `${path} cannot be read (${systemCodeOf(cause) ?? 'unknown'})`,
    fix: 'Name the archive that is meant.',
    cause,
  });
}

function unwritable(path: string, cause: unknown): UserError {
  return new UserError({
    code: 'file-unwritable',
    kind: 'invalid',
    message: `${path} cannot be written (${systemCodeOf(cause) ?? 'unknown'})`,
    fix: 'Name a file in a folder that exists, has room, and that you may write to.',
    cause,
  });
}
