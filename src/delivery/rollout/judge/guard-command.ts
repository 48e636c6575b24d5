import { spawn } from 'node:child_process';
import { formatDuration } from '../../../lib/duration.ts';
import { messageOf, systemCodeOf } from '../../../lib/errors.ts';
import type { CommandGuard } from '../../compose/index.ts';
import type { Answer } from './guard-state.ts';

/** What a command learns of the rollout, by its environment. */
export interface GuardedRollout {
  readonly project: string;
  readonly rollout: number;
  /** The release that serves, and the new one. */
  readonly stable: number | undefined;
  readonly candidate: number | undefined;
  /** Basis points. */
  readonly weight: number;
}

/**
 * Runs a command on this machine, as the user of the daemon, without a shell. It and all that it started are killed
 * at its timeout. Of its output the last part is read.
 */
export async function askCommand(
  guard: CommandGuard,
  o: { readonly rollout: GuardedRollout; readonly signal: AbortSignal },
): Promise<Answer> {
  const limit = AbortSignal.timeout(guard.timeoutMs);
  try {
    const ended = await runBounded(guard.run, {
      env: environmentOf(o.rollout),
      signal: AbortSignal.any([o.signal, limit]),
    });
    if (limit.aborted) return { kind: 'bad', detail: `did not end within ${formatDuration(guard.timeoutMs)}` };
    return readCommand(ended, guard);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return { kind: 'unknown', detail: `there is no program "${guard.run[0]}"` };
    return { kind: 'unknown', detail: `cannot be run: ${messageOf(error)}` };
  }
}

interface Ended {
  /** null: killed. */
  readonly exitCode: number | null;
  /** The end of what it printed. */
  readonly output: string;
  readonly errors: string;
}

/** Exit code 0 is well; with a limit the last line of the output is a number. */
export function readCommand({ exitCode, output, errors }: Ended, limits: Pick<CommandGuard, 'max' | 'min'>): Answer {
  if (exitCode !== 0) {
    const words = lastLine(errors) || lastLine(output);
    const how = exitCode === null ? 'was killed' : `ended with exit code ${exitCode}`;
    return { kind: 'bad', detail: `${how}${words === '' ? '' : `: ${words}`}` };
  }
  if (limits.max === undefined && limits.min === undefined) return { kind: 'well', detail: 'ended with exit code 0' };
  const line = lastLine(output);
  const value = line === '' ? Number.NaN : Number(line);
  if (Number.isNaN(value))
    return { kind: 'unknown', detail: line === '' ? 'it printed nothing' : `its last line is no number: ${line}` };
  return { kind: 'value', value };
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').trim().slice(-200);
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Nothing of the daemon's own environment. */
function environmentOf({ project, rollout, stable, candidate, weight }: GuardedRollout): Record<string, string> {
  return {
    PATH,
    HOME: '/',
    BASCULE_PROJECT: project,
    BASCULE_ROLLOUT: String(rollout),
    BASCULE_RELEASE: String(stable ?? ''),
    BASCULE_CANDIDATE: String(candidate ?? ''),
    BASCULE_WEIGHT: String(weight / 100),
  };
}

const KEPT_BYTES = 16_384;
const PIPES_MS = 300;

function runBounded(
  [program = '', ...args]: readonly string[],
  o: { readonly env: Record<string, string>; readonly signal: AbortSignal },
): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  // A process group of its own, so that what it starts can be killed with it.
  const child = spawn(program, args, { env: o.env, cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => killGroup(child.pid);
  const [output, errors] = [keepEnd(child.stdout), keepEnd(child.stderr)];
  if (o.signal.aborted) kill();
  o.signal.addEventListener('abort', kill);
  child.once('error', reject);
  child.once('exit', (exitCode) => {
    o.signal.removeEventListener('abort', kill);
    kill();
    const finish = (): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ exitCode, output: output(), errors: errors() });
    };
    // Something that left the group may hold the pipes open for ever.
    const timer = setTimeout(finish, PIPES_MS);
    child.once('close', finish);
  });
  return promise;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (systemCodeOf(error) !== 'ESRCH') throw error;
  }
}

function keepEnd(stream: NodeJS.ReadableStream): () => string {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-KEPT_BYTES);
  });
  return () => kept.toString('utf8');
}
