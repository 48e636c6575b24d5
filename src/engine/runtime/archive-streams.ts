import { type ChildProcess, spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { messageOf, UserError } from '../../lib/errors.ts';
import { Chunks, release } from './archive-chunks.ts';
import { plainFileIn, writePlainFile } from './archive-file.ts';
import type { ArchiveGuard } from './archive-guard.ts';
import { BLOCK } from './archive-names.ts';

/** tar gives and takes 64 KiB a call instead of 10: large files go twice as fast. */
const BY_64_KIB = '--blocking-factor=128';
const FED_AT_ONCE = 256 * 1024;

interface TarSource {
  /** What goes into the archive. */
  readonly args: readonly string[];
  /** Names that tar reads. */
  readonly input?: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/**
 * Writes an archive; the sink is not ended. A socket becomes tar's own output: nothing of it goes through this process,
 * and what is in the socket's own buffer must have been written before. Nothing is read from the socket any more: it must be
 * destroyed, not only ended.
 */
export async function writeTar(sink: Writable, { args, input, signal }: TarSource): Promise<void> {
  const all = ['--create', '--file', '-', '--numeric-owner', '--sparse', BY_64_KIB, ...args];
  if (sink.destroyed || signal?.aborted === true) return;
  const child = spawn('tar', all, { stdio: ['pipe', sink instanceof Socket ? sink : 'pipe', 'ignore'] });
  const ended = exitCodeOf(child);
  const stop = (): void => {
    child.kill();
    child.stdout?.destroy(); // what nobody reads would keep it from its end
  };
  signal?.addEventListener('abort', stop);
  sink.on('error', () => {}); // it closes next
  sink.once('close', stop);
  child.stdin?.on('error', () => {}); // tar that ended early says so by its exit
  child.stdin?.end(input);
  child.stdout?.pipe(sink, { end: false });
  await ended.finally(() => {
    signal?.removeEventListener('abort', stop);
    sink.off('close', stop);
  });
}

interface Unpacking {
  readonly tar: Readable;
  /** Looks at what tar gets. */
  readonly guard: ArchiveGuard;
}

/**
 * Unpacks an archive into a folder. Large files at its beginning are written right here, which saves every byte two ways
 * through the kernel; the rest is tar's. What a container has is not trusted: before tar sees a name, it is looked where
 * that leads.
 * @throws UserError `copy-through-link`, `archive-invalid`
 */
export async function unpackTar(directory: FileHandle, { tar, guard }: Unpacking): Promise<void> {
  const source = new Chunks(tar);
  try {
    let block = await source.exactly(BLOCK);
    if (block.length === 0) return;
    let hasWritten = false;
    for (let file = plainFileIn(block); file !== undefined; file = plainFileIn(block)) {
      if (!(await writePlainFile(directory, file, source))) break;
      hasWritten = true;
      block = await source.exactly(BLOCK);
    }
    if (hasWritten && block.every((byte) => byte === 0)) await source.exhaust();
    else await unpackByTar(directory, { first: block, source, guard });
  } catch (error) {
    throw error instanceof UserError ? error : archiveInvalid(messageOf(error));
  } finally {
    source.drop();
  }
}

interface TarWork extends Pick<Unpacking, 'guard'> {
  readonly first: Buffer;
  readonly source: Chunks;
}

async function unpackByTar(directory: FileHandle, { first, source, guard }: TarWork): Promise<void> {
  const options = [BY_64_KIB, '--read-full-records', '--numeric-owner', '--same-permissions'];
  const child = spawn('tar', ['--extract', '--file', '-', ...options, '--directory', '/proc/self/fd/3'], {
    stdio: ['pipe', 'ignore', 'pipe', directory.fd],
  });
  const [input, words] = [child.stdio[0]!, child.stdio[2]!];
  let errors = '';
  words.on('data', (data: Buffer) => (errors += data.toString()));
  input.on('error', () => {}); // tar that ended early says so by its exit
  const fed = feed(first, { source, sink: input, guard })
    .catch((error: unknown) => error)
    .finally(() => input.end());
  const [broken, code] = await Promise.all([fed, exitCodeOf(child)]);
  if (broken !== undefined) throw broken;
  if (code !== 0) throw archiveInvalid(errors.trim());
}

function archiveInvalid(words: string): UserError {
  return new UserError({
    code: 'archive-invalid',
    kind: 'invalid',
    message: `the archive could not be unpacked: ${words}`,
    fix: 'Send an uncompressed tar archive.',
  });
}

/** Also of one that is ended. */
function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (error) => {
      if (child.pid === undefined) reject(error);
    });
  });
}

/**
 * Fails only with the source, or with the guard: a reader that is content before the end (tar, at the mark of an
 * archive's end) says so by its exit code. The rest of the source is read and dropped.
 */
async function feed(
  first: Buffer,
  { source, sink, guard }: Pick<TarWork, 'source' | 'guard'> & { readonly sink: Writable },
): Promise<void> {
  for (let chunks: readonly Buffer[] = [first]; chunks.length > 0; chunks = await source.some(FED_AT_ONCE)) {
    for (const chunk of chunks) {
      guard.look(chunk);
      if (sink.writable && !sink.write(chunk, () => release(chunk))) await roomIn(sink);
    }
  }
}

async function roomIn(sink: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  for (const event of ['drain', 'close']) sink.once(event, done);
  if (sink.destroyed) resolve();
  await promise;
  for (const event of ['drain', 'close']) sink.off(event, done);
}
