import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemCodeOf, UserError } from './errors.ts';

export interface RunOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Of standard output; `latin1` where it has file names, which are bytes: each character is one then. */
  readonly encoding?: 'utf8' | 'latin1';
}

export interface RunResult {
  /** Exit code, or 128 + signal number as shells say it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and collects what it printed. A non-zero exit code is a value, not an error. */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...rest] = argv;
  const child = spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  feed(child.stdin, options.input);
  const ended = exitCodeOf(child, program);
  const [stdout, stderr, exitCode] = await Promise.all([
    textOf(child.stdout, options.encoding),
    textOf(child.stderr),
    ended,
  ]);
  return { exitCode, stdout, stderr };
}

/**
 * Like `run`, but a non-zero exit code throws.
 * @throws UserError `command-failed` with the program's own last words
 */
export async function runOrThrow(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(argv, options);
  if (result.exitCode === 0) return result;
  throw new UserError({
    code: 'command-failed',
    kind: 'failed',
    message: `${argv[0]} failed with exit code ${result.exitCode}: ${lastLines(result.stderr || result.stdout)}`,
    fix: 'The message above is from the program itself; `bascule doctor` checks whether this machine has what it needs.',
    details: { argv, exitCode: result.exitCode },
  });
}

function feed(stdin: Writable, input: string | Uint8Array | undefined): void {
  stdin.on('error', () => {}); // the program may end without reading: its exit code tells
  stdin.end(input);
}

function exitCodeOf(child: ReturnType<typeof spawn>, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(systemCodeOf(error) === 'ENOENT' ? missing(program, error) : error));
    child.once('close', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
}

async function textOf(stream: Readable, encoding: 'utf8' | 'latin1' = 'utf8'): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString(encoding);
}

function missing(program: string, cause: unknown): UserError {
  return new UserError({
    code: 'program-missing',
    kind: 'unavailable',
    message: `the program "${program}" is not installed`,
    fix: 'Run `bascule doctor`: it lists what is missing and the package that has it.',
    cause,
  });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : signal === 'SIGINT' ? 2 : 1;
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}
