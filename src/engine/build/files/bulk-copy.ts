import { type ChildProcess, spawn } from 'node:child_process';
import { UserError } from '../../../lib/errors.ts';

/** Who owns what is copied: one owner for all, or that of the source. */
export type Ownership = { readonly uid: number; readonly gid: number } | 'as-source';

export interface BulkCopy {
  readonly from: string;
  /** Its folders are there, and nothing of what is copied. */
  readonly to: string;
  /** Relative to both, as byte strings. */
  readonly paths: readonly string[];
  readonly ownership: Ownership;
  /** Undefined: that of the source. */
  readonly mode: number | undefined;
  /** Seconds since 1970; undefined: the time of the source. */
  readonly time: number | undefined;
  readonly hasHoles: boolean;
  readonly signal?: AbortSignal;
}

/** File names are bytes, messages are English, and nothing of the user's environment changes the outcome. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
const XATTRS = [
  '--xattrs',
  '--xattrs-include=security.capability',
  '--xattrs-include=user.*',
  '--no-acls',
  '--no-selinux',
];

/** Copies many files by two processes, one reading and one writing: several times faster than one call a file. */
export async function copyInBulk(o: BulkCopy): Promise<void> {
  const spawnOptions = { ...(o.signal === undefined ? {} : { signal: o.signal }), env: ENVIRONMENT };
  const reader = spawn('tar', readerArguments(o), { ...spawnOptions, stdio: ['pipe', 'pipe', 'pipe'] });
  const writer = spawn('tar', writerArguments(o), { ...spawnOptions, stdio: [reader.stdout, 'ignore', 'pipe'] });
  reader.stdout.destroy(); // the writer has it
  reader.stdin.on('error', () => {}); // its exit code tells
  reader.stdin.end(Buffer.from(o.paths.map((path) => `./${path}\0`).join(''), 'latin1'));
  const outcomes = await Promise.allSettled([ended(reader), ended(writer)]);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

function readerArguments(o: BulkCopy): readonly string[] {
  const owner = o.ownership === 'as-source' ? [] : [`--owner=:${o.ownership.uid}`, `--group=:${o.ownership.gid}`];
  return [
    '--create',
    '--file=-',
    '--format=posix',
    '--numeric-owner',
    `--directory=${o.from}`,
    ...XATTRS,
    ...owner,
    ...(o.mode === undefined ? [] : [`--mode=${o.mode.toString(8)}`]),
    ...(o.time === undefined ? [] : [`--mtime=@${o.time}`]),
    ...(o.hasHoles ? ['--sparse'] : []),
    '--no-recursion',
    '--null',
    '--no-unquote',
    '--files-from=-',
  ];
}

function writerArguments(o: BulkCopy): readonly string[] {
  return [
    '--extract',
    '--file=-',
    `--directory=${o.to}`,
    '--absolute-names', // links are kept as they are
    '--numeric-owner',
    '--same-owner',
    '--same-permissions',
    '--delay-directory-restore',
    ...XATTRS,
  ];
}

function ended(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-2_000)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(copyFailed(said))));
  });
}

function copyFailed(said: string): UserError {
  return new UserError({
    code: 'copy-failed',
    kind: 'failed',
    message: `copying failed: ${said.trim()}`,
    fix: 'Files of the context must not change while they are copied, and the disk must have room: build again.',
  });
}
