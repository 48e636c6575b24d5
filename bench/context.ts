import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Dockerd, Machine } from '../test/support/machine.ts';

/** Both sides of a comparison, on one machine in one run. */
export interface Context {
  readonly machine: Machine;
  /** Bascule's engine as a Docker Engine API socket. */
  readonly engineSocket: string;
  readonly dockerd: Dockerd;
  /** The peer's client. */
  readonly docker: string;
  readonly runs: number;
}

/** Milliseconds of a whole process; a non-zero exit code fails. `isQuiet`: what it prints is thrown away. */
export function timeProcess(
  argv: readonly [string, ...string[]],
  options: { env?: Record<string, string>; cwd?: string; isQuiet?: boolean } = {},
): number {
  const [program, ...rest] = argv;
  const started = performance.now();
  const { status, stderr, error } = spawnSync(program, rest, {
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    stdio: ['ignore', options.isQuiet ? 'ignore' : 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const took = performance.now() - started;
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${error?.message ?? stderr}`);
  return took;
}

/** Runs the sides in turn, A B A B …, so that a machine whose speed drifts is fair to both. */
export async function inTurn<Name extends string>(
  runs: number,
  sides: Readonly<Record<Name, () => number | Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (const name of names) await sides[name](); // once, not counted
  for (let run = 0; run < runs; run++) for (const name of names) samples[name].push(await sides[name]());
  return samples;
}

export function machineFacts(docker: string, dockerd: string): Record<string, string> {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return {
    processor: `${model}, ${cpus().length} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    node: process.version,
    runc: firstLine('runc', '--version'),
    haproxy: firstLine('haproxy', '-v'),
    docker: firstLine(docker, '--version'),
    dockerd: firstLine(dockerd, '--version'),
    revision: firstLine('git', '-C', join(import.meta.dirname, '..'), 'rev-parse', '--short', 'HEAD'),
  };
}

function firstLine(program: string, ...words: string[]): string {
  try {
    return execFileSync(program, words, { encoding: 'utf8' }).split('\n')[0]?.trim() ?? '';
  } catch {
    return 'unknown';
  }
}
