import { UserError } from '../../lib/errors.ts';
import { lstat } from 'node:fs/promises';
import { resolveInRoot } from '../../lib/root-path.ts';
import { findCommand } from './find-command.ts';

/** What the runtime's log (JSON lines), conmon's pipe (logfmt), or plain text says about a failure: the last error. */
export function failureMessage(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const messages = lines.map((line) => jsonMessage(line) ?? logfmtMessage(line) ?? line);
  return messages.at(-1)?.trim() ?? 'the OCI runtime failed without a word';
}

function jsonMessage(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === 'string' ? msg : undefined;
  } catch {
    return undefined;
  }
}

function logfmtMessage(line: string): string | undefined {
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  if (quoted === undefined) return undefined;
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted;
  }
}

/** In front of what the OCI runtime says, as dockerd has it from its own way down to the runtime. */
const REFUSED = 'failed to create task for container: failed to create shim task: OCI runtime create failed';

/** A start that the OCI runtime refused, in the words that Docker's clients know. */
export function startFailed(text: string): UserError {
  return new UserError({
    code: 'start-failed',
    kind: 'failed',
    message: `${REFUSED}: ${failureMessage(text)}`,
    fix: 'The message is from the OCI runtime itself; `bascule doctor` checks what this machine has.',
  });
}

/**
 * The same, where the command is to blame: `details.exitCode` is 127 (not there) or 126 (cannot be run). It is worded as
 * Docker's clients know it, whichever runtime refused.
 */
export function commandFailed({ exitCode, message }: Refusal): UserError {
  return new UserError({
    code: exitCode === 127 ? 'command-not-found' : 'command-not-executable',
    kind: 'invalid',
    message: `${REFUSED}: runc create failed: unable to start container process: ${message}`,
    fix: 'Check the command and entrypoint: the program must be in the image, in PATH and executable.',
    details: { exitCode },
  });
}

export interface Command {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workingDirectory: string;
}

/** Why a command cannot be run, in the words of runc, which Docker's clients know. */
export interface Refusal {
  readonly exitCode: 126 | 127;
  readonly message: string;
}

/** What is wrong with a command that was not started; undefined: something else was wrong. */
export async function findRefusal(root: string, command: Command): Promise<Refusal | undefined> {
  const [program = ''] = command.args;
  const folder = command.workingDirectory;
  if (folder !== '' && !(await isThere(await resolveInRoot(root, folder))))
    return {
      exitCode: 127,
      message: `chdir to cwd ("${folder}") set in config.json failed: no such file or directory`,
    };
  const state = await findCommand(root, { ...command, program });
  if (state === 'not-executable') return { exitCode: 126, message: `exec: "${program}": permission denied` };
  if (state !== 'missing') return undefined;
  const why = program.includes('/')
    ? `stat ${program}: no such file or directory`
    : 'executable file not found in $PATH';
  return { exitCode: 127, message: `exec: "${program}": ${why}` };
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
