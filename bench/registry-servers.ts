import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DebianRegistry } from '../test/support/debian-registry.ts';
import { waitFor } from '../test/support/wait.ts';

const BASCULE = join(import.meta.dirname, '..', 'bin', 'bascule');

/** A registry as a process, empty: where it listens, and what it takes of memory. */
export interface Served extends AsyncDisposable {
  readonly host: string;
  readonly pid: number;
}

/** `bascule registry serve` with a root of its own. */
export async function serveOurs(): Promise<Served> {
  const root = mkdtempSync('/var/tmp/bascule-bench-root-');
  const words = ['registry', 'serve', '--root', root, '--listen', '127.0.0.1:0', '--log-level', 'info'];
  const child = spawn(BASCULE, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += text.length < 10_000 ? part.toString('utf8') : ''));
  const host = await waitFor(() => /"address":"http:\/\/([^"]+)"/.exec(text)?.[1], {
    timeoutMs: 20_000,
    what: 'it listens',
  });
  return {
    host,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Debian's docker-registry with a folder of its own. */
export async function servePeer(): Promise<Served> {
  const registry = await new DebianRegistry().start();
  return { host: registry.host, pid: registry.pid, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

/** What a `bascule` command of this checkout prints. */
export function outputOf(words: readonly string[], env: Readonly<Record<string, string>>): string {
  return execFileSync(BASCULE, words, { env: { ...process.env, ...env }, encoding: 'utf8' });
}

/** Megabytes, now or at most since `forgetPeak`. */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1_000;
}

/** From here on `VmHWM` is counted anew (proc(5), clear_refs). */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
