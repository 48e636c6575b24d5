import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { readTextIfThere } from '../../lib/files.ts';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/process.ts';
import {
  execArgv,
  terminalExecArgv,
  terminalExecEnvironment,
  type Argv,
  type ExecPlan,
  type OciRuntime,
} from './argv.ts';
import { expectMigration } from './cgroup-lock.ts';
import { isUp, type Containers, type Entry } from './containers.ts';
import { containerNotRunning, containerPaused, execNotFound, execStarted } from './errors.ts';
import type { Emit } from './events.ts';
import { tellingRefusal } from './exec-refusal.ts';
import type { Exec, ExecRequest, ExecStreams, TerminalSize } from './face.ts';
import { findRefusal, type Refusal } from './failures.ts';
import { runtimeOf, type Host } from './host.ts';
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
    const size = o.size ?? DEFAULT_SIZE;
    await writeProcess(host, exec, { plan, size });
    const child = exec.request.tty
      ? launchTerminal(runtimeOf(host, plan.id), plan, size)
      : launch(execArgv(runtimeOf(host, plan.id), plan));
    exec.child = child;
    const exit = this.#exitOf(exec, plan, child);
    exit.catch(() => {}); // whoever awaits it learns of it
    const output = tellingRefusal(outputOf(child), plan, () => refusalOf(exec));
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

  /** The terminal is the one that the process itself has: not every runtime hands on the size of its own. */
  async resize(id: string, size: TerminalSize): Promise<void> {
    const exec = this.#get(id);
    const pid = Number((await readTextIfThere(planOf(this.#parts.host, exec).pidFile)) ?? 0);
    if (!exec.request.tty || !exec.running || !(pid > 0)) return;
    for (const descriptor of [0, 1, 2]) {
      const terminal = `/proc/${pid}/fd/${descriptor}`;
      if (!(await readlink(terminal).catch(() => '')).startsWith('/dev/pts/')) continue;
      await run(['stty', '-F', terminal, 'cols', String(size.columns), 'rows', String(size.rows)]);
      return;
    }
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
async function writeProcess(
  host: Host,
  exec: ExecEntry,
  { plan, size }: { readonly plan: ExecPlan; readonly size: TerminalSize },
): Promise<void> {
  const { paths, spec } = exec.container;
  const { request } = exec;
  const { process } = JSON.parse(readFileSync(paths.config, 'utf8')) as OciSpec;
  const [passwd, group] = request.user
    ? await Promise.all([readInRoot(paths.root, '/etc/passwd'), readInRoot(paths.root, '/etc/group')])
    : ['', ''];
  const user = request.user ? resolveUser(request.user, spec.groupAdd, { passwd, group }) : undefined;
  const rendered: OciProcess = renderExecProcess({
    containerProcess: process,
    request,
    user,
    size,
    machine: host.machine,
  });
  mkdirSync(join(plan.processFile, '..'), { recursive: true });
  writeFileSync(plan.processFile, JSON.stringify(rendered), { mode: 0o600 });
}

function launch(argv: Argv): ChildProcess {
  const [program, ...args] = argv;
  return spawn(program, args, { stdio: 'pipe', detached: true, env: RUNTIME_ENVIRONMENT });
}

function launchTerminal(runtime: OciRuntime, plan: ExecPlan, size: TerminalSize): ChildProcess {
  const [program, ...args] = terminalExecArgv(runtime);
  const variables = terminalExecEnvironment(runtime, plan, size);
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
  return (await refusalOf(exec))?.exitCode ?? 126;
}

async function refusalOf({ container: { spec, paths }, request }: ExecEntry): Promise<Refusal | undefined> {
  const workingDirectory = request.workingDirectory ?? spec.workingDirectory;
  const env = [...spec.env, ...(request.env ?? [])];
  return findRefusal(paths.root, { args: request.args, env, workingDirectory });
}

const SIGKILL = 9;

async function killExec(plan: ExecPlan, child: ChildProcess): Promise<void> {
  const pid = Number((await readTextIfThere(plan.pidFile).catch(() => undefined)) ?? 0);
  const identity = pid > 0 ? identify(pid) : undefined;
  if (identity === undefined || !sendSignal(identity, SIGKILL)) child.kill('SIGKILL');
}
