import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { run } from '../../lib/process.ts';
import { conmonArgv, runtimeArgv, type OciRuntime } from './argv.ts';
import { expectMigration } from './cgroup-lock.ts';
import type { Entry } from './containers.ts';
import { commandFailed, findRefusal, startFailed } from './failures.ts';
import { wantedRuntime, type Host } from './host.ts';
import { RUNTIME_ENVIRONMENT } from './machine.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export interface Held {
  readonly init: ProcessIdentity;
  readonly conmon: ProcessIdentity;
}

/**
 * Creates the container under a conmon of its own, which outlives us: its own session, no pipes of ours.
 * @throws UserError `command-not-found`, `command-not-executable`, `start-failed`
 */
export async function createUnderConmon(host: Host, entry: Entry): Promise<Held> {
  void expectMigration(host.machine.cgroupVersion);
  await Promise.all([
    rm(entry.paths.exitFile, { force: true }),
    rm(entry.paths.pidFile, { force: true }),
    rm(join(entry.paths.bundle, 'oom'), { force: true }),
    mkdir(host.paths.sockets, { recursive: true }),
  ]);
  const outcome = await spawnConmon(host, entry);
  const init = outcome.pid > 0 ? identify(outcome.pid) : undefined;
  if (init === undefined) throw await explainRefusal(entry, outcome.message);
  const conmon = identify(Number(await readFile(entry.paths.conmonPidFile, 'utf8')));
  if (conmon === undefined) throw startFailed('conmon ended at once');
  return { init, conmon };
}

interface Outcome {
  readonly pid: number;
  readonly message: string;
}

async function spawnConmon(host: Host, entry: Entry): Promise<Outcome> {
  const { spec, paths } = entry;
  const [program, ...args] = conmonArgv({
    id: entry.id,
    runtime: wantedRuntime(host, spec.runtime),
    bundle: paths.bundle,
    pidFile: paths.pidFile,
    conmonPidFile: paths.conmonPidFile,
    exitDirectory: host.paths.exits,
    socketDirectory: host.paths.sockets,
    logPath: paths.log,
    terminal: spec.tty,
    openStdin: spec.openStdin,
    stdinOnce: spec.stdinOnce ?? false,
  });
  const errors = await open(join(paths.bundle, 'conmon.log'), 'w');
  try {
    const child = spawn(program, args, {
      cwd: paths.bundle,
      detached: true,
      env: { ...RUNTIME_ENVIRONMENT, _OCI_SYNCPIPE: '3' },
      stdio: ['ignore', 'ignore', errors.fd, 'pipe'],
    });
    child.unref();
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    return await Promise.race([readOutcome(child.stdio[3] as Readable, paths.bundle), failed]);
  } finally {
    await errors.close();
  }
}

/** One line of JSON: `{"pid": n}`, or `{"pid": -1, "message": …}`; `data` instead of `pid` in other versions. */
async function readOutcome(pipe: Readable, bundle: string): Promise<Outcome> {
  let text = '';
  for await (const chunk of pipe) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  pipe.destroy();
  if (text.trim() === '') return { pid: -1, message: await readFile(join(bundle, 'conmon.log'), 'utf8') };
  const { pid, data, message } = JSON.parse(text) as { pid?: number; data?: number; message?: string };
  return { pid: pid ?? data ?? -1, message: message ?? '' };
}

async function explainRefusal(entry: Entry, message: string): Promise<Error> {
  const refusal = await findRefusal(entry.paths.root, entry.spec);
  return refusal === undefined ? startFailed(message) : commandFailed(refusal);
}

/**
 * Lets a created container begin. runc's init waits until somebody reads its fifo, crun's until somebody writes to it:
 * that is all that their `start` does, and saves a process of some milliseconds. Should it not do, they are asked.
 */
export async function beginProcess(runtime: OciRuntime, id: string, init: ProcessIdentity): Promise<void> {
  const fifo = fifoOf(runtime, id);
  if (runtime.name === 'runc' ? await readFifo(fifo, init) : await writeFifo(fifo)) return;
  const result = await run(runtimeArgv(runtime, 'start', id));
  if (result.exitCode !== 0) throw startFailed(result.stderr);
}

const DEATH_CHECK_MS = 1_000;

/** Opening blocks a thread until init opens its end; should init have died, we open that end ourselves. */
async function readFifo(path: string, init: ProcessIdentity): Promise<boolean> {
  const guard = setInterval(() => {
    if (!isAlive(init)) void releaseFifo(path);
  }, DEATH_CHECK_MS);
  try {
    return await useFifo(path, 'r', async (fifo) => (await fifo.read(Buffer.alloc(1), 0, 1, null)).bytesRead === 1);
  } finally {
    clearInterval(guard);
  }
}

/** Its init has the fifo open since before `create` ended: without a reader, opening fails at once. */
function writeFifo(path: string): Promise<boolean> {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  return useFifo(path, flags, async (fifo) => (await fifo.write('1')).bytesWritten === 1);
}

/** Uses a fifo once: it goes when that worked. */
async function useFifo(
  path: string,
  flags: string | number,
  use: (fifo: FileHandle) => Promise<boolean>,
): Promise<boolean> {
  try {
    await using fifo = await open(path, flags);
    if (!(await use(fifo))) return false;
    await rm(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

async function releaseFifo(path: string): Promise<void> {
  const fifo = await open(path, constants.O_RDWR | constants.O_NONBLOCK).catch(() => undefined);
  await fifo?.close();
}

/** Whether a container was created but never began: then the runtime's fifo is still there. */
export function fifoOf(runtime: OciRuntime, id: string): string {
  return join(runtime.stateDirectory, id, 'exec.fifo');
}
