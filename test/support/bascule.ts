import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'bascule');

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line that the command prints on standard error. */
  onLine?(line: string): void;
  /** Called with the process: to send it signals. */
  onStart?(child: ChildProcess): void;
  /** A program and its arguments that starts `bascule`, e.g. to change the user. */
  readonly launcher?: readonly string[];
  /** Default 3 minutes: then it is killed, and fails. */
  timeoutMs?: number;
}

/** Runs `bascule` as a user would, with a root of its own. */
export async function bascule(root: string, words: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [program = PROGRAM, ...rest] = [...(options.launcher ?? []), PROGRAM, ...words];
  const child = spawn(program, rest, {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: '1', BASCULE_ROOT: root, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 180_000,
    killSignal: 'SIGKILL',
  });
  options.onStart?.(child);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const [stdout, stderr] = await Promise.all([
    linesOf(child.stdout, () => {}),
    linesOf(child.stderr, (line) => options.onLine?.(line)),
  ]);
  return { exitCode: await ended, stdout, stderr };
}

async function linesOf(stream: NodeJS.ReadableStream, onLine: (line: string) => void): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    lines.push(line);
    onLine(line);
  }
  return lines.join('\n');
}
