/** Command lines, and nothing else. */
export type Argv = [string, ...string[]];

export interface OciRuntime {
  readonly name: 'runc' | 'crun';
  readonly program: string;
  /** Arguments before its own: those of what starts it, where `program` is that. */
  readonly leading: readonly string[];
  /** Where it keeps its state, on the run directory. */
  readonly stateDirectory: string;
}

export interface ConmonPlan {
  readonly id: string;
  readonly runtime: OciRuntime;
  readonly bundle: string;
  readonly pidFile: string;
  readonly conmonPidFile: string;
  readonly exitDirectory: string;
  readonly socketDirectory: string;
  readonly logPath: string;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
}

/** Only flags that conmon 2.0.25 (Ubuntu 22.04) knows. */
export function conmonArgv(plan: ConmonPlan): Argv {
  return [
    'conmon',
    '--cid',
    plan.id,
    '--cuuid',
    attachName(plan.id),
    '--runtime',
    plan.runtime.program,
    '--bundle',
    plan.bundle,
    '--container-pidfile',
    plan.pidFile,
    '--conmon-pidfile',
    plan.conmonPidFile,
    '--exit-dir',
    plan.exitDirectory,
    '--socket-dir-path',
    plan.socketDirectory,
    '--log-path',
    `k8s-file:${plan.logPath}`,
    '--log-level',
    'warning',
    ...[...plan.runtime.leading, '--root', plan.runtime.stateDirectory].flatMap((word) => ['--runtime-arg', word]),
    ...(plan.terminal ? ['--terminal'] : []),
    ...(plan.openStdin ? ['--stdin'] : []),
    ...(plan.openStdin && !plan.stdinOnce ? ['--leave-stdin-open'] : []),
  ];
}

/** Short: the path of a unix socket has at most 107 characters. */
export function attachName(id: string): string {
  return id.slice(0, 32);
}

export function runtimeArgv(runtime: OciRuntime, ...rest: readonly string[]): Argv {
  return [runtime.program, ...runtime.leading, '--root', runtime.stateDirectory, ...rest];
}

/** Failures go to a file, in JSON: the error stream belongs to the process. */
export function loggedRuntimeArgv(runtime: OciRuntime, logFile: string, ...rest: readonly string[]): Argv {
  return runtimeArgv(runtime, '--log', logFile, '--log-format', 'json', ...rest);
}

export interface ExecPlan {
  readonly id: string;
  readonly processFile: string;
  readonly pidFile: string;
  readonly logFile: string;
}

export function execArgv(runtime: OciRuntime, plan: ExecPlan): Argv {
  return loggedRuntimeArgv(
    runtime,
    plan.logFile,
    'exec',
    '--process',
    plan.processFile,
    '--pid-file',
    plan.pidFile,
    plan.id,
  );
}

/**
 * The same on a terminal: `script` gives one; its command is text that is fixed for a runtime, what varies comes by the
 * environment.
 */
export function terminalExecArgv({ leading }: OciRuntime): Argv {
  const words = leading.map((word) => `'${word.replaceAll("'", `'\\''`)}' `).join('');
  const command = `stty cols "$BASCULE_COLUMNS" rows "$BASCULE_ROWS"; exec "$BASCULE_RUNTIME" ${words}--root "$BASCULE_STATE" --log "$BASCULE_LOG" --log-format json exec --tty --process "$BASCULE_PROCESS" --pid-file "$BASCULE_PID" "$BASCULE_ID"`;
  return ['script', '--quiet', '--flush', '--return', '--command', command, '/dev/null'];
}

export function terminalExecEnvironment(
  runtime: OciRuntime,
  plan: ExecPlan,
  size: { readonly columns: number; readonly rows: number },
): Readonly<Record<string, string>> {
  return {
    BASCULE_RUNTIME: runtime.program,
    BASCULE_STATE: runtime.stateDirectory,
    BASCULE_LOG: plan.logFile,
    BASCULE_PROCESS: plan.processFile,
    BASCULE_PID: plan.pidFile,
    BASCULE_ID: plan.id,
    BASCULE_COLUMNS: String(size.columns),
    BASCULE_ROWS: String(size.rows),
    SHELL: '/bin/sh',
  };
}

/** conmon's attach socket keeps message borders (SOCK_SEQPACKET is type 5), which Node cannot open. */
export function attachArgv(socketPath: string): Argv {
  return ['socat', '-t', '0.1', 'STDIO', `UNIX-CONNECT:${socketPath.replaceAll(/[:,!\\]/g, '\\$&')},type=5`];
}
