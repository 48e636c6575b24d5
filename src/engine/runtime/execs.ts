import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { readTextIfThere } from '../../lib/files.ts';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/process.ts';
import { execArgv, terminalExecArgv, terminalExecEnvironment, type Argv, type ExecPlan } from './argv.ts';
import { expectMigration } from './cgroup-lock.ts';
import { isUp, type Containers, type Entry } from './containers.ts';
import { containerNotRunning, containerPaused, execNotFound, execStarted } from './errors.ts';
import type { Emit } from './events.ts';
import { tellingRefusal } from './exec-refusal.ts';
import type { Exec, ExecRequest, ExecStreams, TerminalSize } from './face.ts';
import { exitCodeOfFailure } from './failures.ts';
import type { Host } from './host.ts';
import { RUNTIME_ENVIRONMENT } from './machine.ts';
import { mergePieces, type Source } from './pieces.ts';
import { identify, sendSignal } from './process-identity.ts';
import { renderExecProcess } from './render-exec.ts';
import type { OciProcess, OciSpec } from './oci.ts';
import { readInRoot } from '../../lib/root-path.ts';
import { resolveUser } from './users.ts';

/** An exec that ended is known for so long. */
const REMEMBERED_MS = 5 * 60_000;
/** Output that children of the process still hold open is waited for so long. */
const DRAIN_MS = 2_000;
const DEFAULT_SIZE: TerminalSize = { columns: 80, rows: 24 };

interface ExecEntry {
  readonly id: string;
  readonly container: Entry;
  readonly request: ExecRequest;
  child: ChildProcess | undefined;
  running: boolean;
  exitCode: number | undefined;
  pid: number;
}

export interface ExecParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly emit: Emit;
}

/** Further processes in running containers. They are known to this daemon only. */
export class Execs {
  readonly #parts: ExecParts;
  readonly #execs = new Map<string, ExecEntry>();

  constructor(parts: ExecParts) {
    this.#parts = parts;
  }

  create(container: Entry, request: ExecRequest): Exec {
    checkUp(container);
    const exec = { id: newId(), container, request, child: undefined, running: false, exitCode: undefined, pid: 0 };
    this.#execs.set(exec.id, exec);
    container.execIds.add(exec.id);
    this.#parts.emit(container, `exec_create: ${request.args.join(' ')}`, { execID: exec.id });
    return execOf(exec);
  }

  inspect(id: string): Exec {
    return execOf(this.#get(id));
  }

  /** The pieces of output must be read, or the process waits. */
  async start(id: string, o: { readonly size?: TerminalSize } = {}): Promise<ExecStreams> {
    const exec = this.#get(id);
    if (exec.running || exec.exitCode !== undefined) throw execStarted(id);
    checkUp(exec.container);
    exec.running = true;
    this.#parts.emit(exec.container, `exec_start: ${exec.request.args.join(' ')}`, { execID: id });
    try {
      return await this.#run(exec, o);
    } catch (error) {
      this.#ended(exec, 126);
      throw error;
    }
  }

  /** Runs a process that nobody knows of, e.g. a health check. Its id is not kept. */
  async runOnce(container: Entry, request: ExecRequest): Promise<ExecStreams> {
    checkUp(container);
    const exec = { id: newId(), container, request, child: undefined, running: true, exitCode: undefined, pid: 0 };
    return this.#run(exec, {});
  }

  async #run(exec: ExecEntry, o: { readonly size?: TerminalSize }): Promise<ExecStreams> {
    const { host } = this.#parts;
    void expectMigration(host.machine.cgroupVersion);
    const plan = planOf(host, exec);
    await writeProcess(host, exec, plan);
    const child = exec.request.tty
      ? launchTerminal(host, plan, o.size ?? DEFAULT_SIZE)
      : launch(execArgv(host.runtime, plan));
    exec.child = child;
    const exit = this.#exitOf(exec, plan, child);
    exit.catch(() => {}); // whoever awaits it learns of it
    const output = tellingRefusal(outputOf(child), plan);
    return { stdin: stdinOf(exec, child), output, exit, kill: () => void killExec(plan, child) };
  }

  async #exitOf(exec: ExecEntry, plan: ExecPlan, child: ChildProcess): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.once('error', reject);
    child.once('exit', (code) => {
      setTimeout(() => destroyOutput(child), DRAIN_MS).unref();
      resolve(code ?? 137);
    });
    try {
      const exitCode = await realExitCode(exec, plan, await promise);
      this.#ended(exec, exitCode);
      return exitCode;
    } catch (error) {
      this.#ended(exec, 126);
      throw error;
    } finally {
      // Whoever waits for the end need not wait for this; what a crash leaves is removed by the next start.
      void rm(join(plan.processFile, '..'), { recursive: true, force: true }).catch(() => {});
    }
  }

  #ended(exec: ExecEntry, exitCode: number): void {
    exec.running = false;
    exec.exitCode = exitCode;
    exec.pid = 0;
    if (!this.#execs.has(exec.id)) return;
    this.#parts.emit(exec.container, 'exec_die', { execID: exec.id, exitCode: String(exitCode) });
    setTimeout(() => this.#forget(exec), REMEMBERED_MS).unref();
  }

  #forget(exec: ExecEntry): void {
    this.#execs.delete(exec.id);
    exec.container.execIds.delete(exec.id);
  }

  /** The terminal is that of `script`, whose only child is the runtime's command. */
  async resize(id: string, size: TerminalSize): Promise<void> {
    const pid = this.#get(id).child?.pid;
    if (pid === undefined) return;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    const terminal = await readlink(`/proc/${children.trim().split(' ')[0]}/fd/0`).catch(() => '');
    if (!terminal.startsWith('/dev/pts/')) return;
    await run(['stty', '-F', terminal, 'cols', String(size.columns), 'rows', String(size.rows)]);
  }

  #get(id: string): ExecEntry {
    const exec = this.#execs.get(id) ?? this.#byPrefix(id);
    if (exec === undefined) throw execNotFound(id);
    return exec;
  }

  #byPrefix(id: string): ExecEntry | undefined {
    if (id.length < 12) return undefined;
    return [...this.#execs.values()].find((exec) => exec.id.startsWith(id));
  }
}

function checkUp(container: Entry): void {
  if (!isUp(container)) throw containerNotRunning(container.id);
  if (container.state.status === 'paused') throw containerPaused(container.id);
}

function execOf(exec: ExecEntry): Exec {
  return {
    id: exec.id,
    containerId: exec.container.id,
    request: exec.request,
    running: exec.running,
    pid: exec.running ? (exec.child?.pid ?? 0) : 0,
    ...(exec.exitCode === undefined ? {} : { exitCode: exec.exitCode }),
  };
}

function planOf(host: Host, exec: ExecEntry): ExecPlan {
  const directory = join(host.paths.execs, exec.id);
  return {
    id: exec.container.id,
    processFile: join(directory, 'process.json'),
    pidFile: join(directory, 'pid'),
    logFile: join(directory, 'log.json'),
  };
}

/** The few small files are read and written at once: a thread for each takes longer than the files. */
async function writeProcess(host: Host, exec: ExecEntry, plan: ExecPlan): Promise<void> {
  const { paths, spec } = exec.container;
  const { request } = exec;
  const { process } = JSON.parse(readFileSync(paths.config, 'utf8')) as OciSpec;
  const [passwd, group] = request.user
    ? await Promise.all([readInRoot(paths.root, '/etc/passwd'), readInRoot(paths.root, '/etc/group')])
    : ['', ''];
  const user = request.user ? resolveUser(request.user, spec.groupAdd, { passwd, group }) : undefined;
  const rendered: OciProcess = renderExecProcess({ containerProcess: process, request, user, machine: host.machine });
  mkdirSync(join(plan.processFile, '..'), { recursive: true });
  writeFileSync(plan.processFile, JSON.stringify(rendered), { mode: 0o600 });
}

function launch(argv: Argv): ChildProcess {
  const [program, ...args] = argv;
  return spawn(program, args, { stdio: 'pipe', detached: true, env: RUNTIME_ENVIRONMENT });
}

function launchTerminal(host: Host, plan: ExecPlan, size: TerminalSize): ChildProcess {
  const [program, ...args] = terminalExecArgv();
  const variables = terminalExecEnvironment(host.runtime, plan, size);
  return spawn(program, args, { stdio: 'pipe', detached: true, env: { ...RUNTIME_ENVIRONMENT, ...variables } });
}

function stdinOf(exec: ExecEntry, child: ChildProcess): Writable {
  const stdin = child.stdin ?? new PassThrough().resume();
  stdin.on('error', () => {}); // the process may end without reading
  if (!exec.request.attachStdin && !exec.request.tty) stdin.end();
  return stdin;
}

function outputOf(child: ChildProcess): ExecStreams['output'] {
  const sources: Source[] = [];
  if (child.stdout !== null) sources.push({ stream: 'stdout', readable: child.stdout });
  if (child.stderr !== null) sources.push({ stream: 'stderr', readable: child.stderr });
  return mergePieces(sources);
}

function destroyOutput(child: ChildProcess): void {
  for (const stream of [child.stdout, child.stderr] as (Readable | null)[]) stream?.destroy();
}

/** Where the process never began (no pid file) the code says why: 127 not there, 126 anything else, as Docker has it. */
async function realExitCode(exec: ExecEntry, plan: ExecPlan, exitCode: number): Promise<number> {
  if (exitCode === 0 || (await readTextIfThere(plan.pidFile)) !== undefined) return exitCode;
  const { spec, paths } = exec.container;
  const workingDirectory = exec.request.workingDirectory ?? spec.workingDirectory;
  const env = [...spec.env, ...(exec.request.env ?? [])];
  return (await exitCodeOfFailure(paths.root, { args: exec.request.args, env, workingDirectory })) ?? 126;
}

const SIGKILL = 9;

async function killExec(plan: ExecPlan, child: ChildProcess): Promise<void> {
  const pid = Number((await readTextIfThere(plan.pidFile).catch(() => undefined)) ?? 0);
  const identity = pid > 0 ? identify(pid) : undefined;
  if (identity === undefined || !sendSignal(identity, SIGKILL)) child.kill('SIGKILL');
}
