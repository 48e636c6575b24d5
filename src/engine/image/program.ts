import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemCodeOf, UserError } from '../../lib/errors.ts';

/** A program at work between two streams. Disposing it ends it. */
export interface Program extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Waits for its end. @throws UserError `command-failed`, `program-missing` */
  succeeded(): Promise<void>;
}

const MAX_LAST_WORDS = 2_000;
/** File names are bytes, messages are English, and nothing of the user's environment changes the outcome. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };

export function startProgram(argv: readonly [string, ...string[]], signal?: AbortSignal): Program {
  const [name, ...rest] = argv;
  const child = spawn(name, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: ENVIRONMENT,
    ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' as const }),
  });
  let lastWords = '';
  child.stderr.on('data', (data: Buffer) => (lastWords = (lastWords + data.toString()).slice(-MAX_LAST_WORDS)));
  child.stdin.on('error', () => {}); // it may end without reading: its exit code tells
  const ended = new Promise<number | Error>((resolve) => {
    child.once('error', resolve);
    child.once('close', (code) => resolve(code ?? -1));
  });
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    async succeeded() {
      child.stdout.resume();
      const outcome = await ended;
      signal?.throwIfAborted();
      if (outcome !== 0) throw failureOf(name, { outcome, lastWords });
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      child.stdout.resume();
      await ended;
    },
  };
}

function failureOf(name: string, { outcome, lastWords }: { outcome: number | Error; lastWords: string }): UserError {
  if (outcome instanceof Error && systemCodeOf(outcome) === 'ENOENT') {
    return new UserError({
      code: 'program-missing',
      kind: 'unavailable',
      message: `the program "${name}" is not installed`,
      fix: 'Run `bascule doctor`: it lists what is missing and the package that has it.',
      cause: outcome,
    });
  }
  const said = outcome instanceof Error ? outcome.message : lastWords.trim().split('\n').slice(-5).join('\n');
  return new UserError({
    code: 'command-failed',
    kind: 'failed',
    message: `${name} failed: ${said}`,
    fix: 'The message above is from the program itself; `bascule doctor` checks whether this machine has what it needs.',
    ...(outcome instanceof Error ? { cause: outcome } : {}),
  });
}
