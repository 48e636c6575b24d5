import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../../lib/errors.ts';
import { runOrThrow } from '../../../lib/process.ts';

const COMPRESSIONS: readonly { readonly magic: string; readonly flag: string }[] = [
  { magic: '1f8b', flag: '--gzip' },
  { magic: '425a68', flag: '--bzip2' },
  { magic: 'fd377a585a00', flag: '--xz' },
  { magic: '28b52ffd', flag: '--zstd' },
];

/** GNU tar's flag for the compression that a stream begins with; undefined where it is not compressed. */
function compressionFlag(start: Buffer): string | undefined {
  const hex = start.subarray(0, 8).toString('hex');
  return COMPRESSIONS.find(({ magic }) => hex.startsWith(magic))?.flag;
}

/** Whether ADD unpacks a file: a tar, plain or compressed, by its content and not by its name. */
export async function isArchive(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    if (buffer.subarray(257, 262).toString() === 'ustar') return true;
    if (compressionFlag(buffer.subarray(0, bytesRead)) === undefined) return false;
  } finally {
    await file.close();
  }
  return runOrThrow(['tar', '--list', '--file', path]).then(
    () => true,
    () => false,
  );
}

/** What belongs to a file and not to a machine. */
const XATTRS = [
  '--xattrs',
  '--xattrs-include=user.*',
  '--xattrs-include=security.capability',
  '--no-acls',
  '--no-selinux',
];

/** Unpacks an archive into an empty folder. GNU tar keeps it in there: no `..`, no absolute names, links made last. */
export async function unpackArchive(path: string, directory: string, signal?: AbortSignal): Promise<void> {
  const argv = [
    'tar',
    '--extract',
    '--file',
    path,
    '--directory',
    directory,
    '--numeric-owner',
    '--same-permissions',
    ...XATTRS,
  ];
  await runOrThrow(argv as [string, ...string[]], signal === undefined ? {} : { signal });
}

/**
 * Unpacks a build context that comes as a tar stream into an empty folder; everything in it is owned by us.
 * @throws UserError `context-invalid`
 */
export async function unpackContext(stream: Readable, directory: string, signal?: AbortSignal): Promise<void> {
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  const start = first.done === true ? Buffer.alloc(0) : Buffer.from(first.value as Uint8Array);
  if (start.length === 0) return;
  const flag = compressionFlag(start);
  const args = ['--extract', '--file=-', '--directory', directory, '--no-same-owner', '--same-permissions', ...XATTRS];
  const child = spawn('tar', [...args, ...(flag === undefined ? [] : [flag])], {
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-2_000)));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 137));
  });
  const fed = pipeline(async function* () {
    yield start;
    for (let chunk = await chunks.next(); chunk.done !== true; chunk = await chunks.next()) yield chunk.value;
  }, child.stdin);
  const [outcome, feeding] = await Promise.allSettled([ended, fed]);
  if (outcome.status === 'rejected') throw outcome.reason;
  if (outcome.value !== 0 || feeding.status === 'rejected') throw contextInvalid(said, feeding);
}

function contextInvalid(said: string, feeding: PromiseSettledResult<void>): UserError {
  return new UserError({
    code: 'context-invalid',
    kind: 'invalid',
    message: `the build context is no whole tar archive: ${said.trim() || 'it ended early'}`,
    fix: 'Send a tar, plain or compressed with gzip, bzip2, xz or zstd.',
    ...(feeding.status === 'rejected' ? { cause: feeding.reason } : {}),
  });
}
