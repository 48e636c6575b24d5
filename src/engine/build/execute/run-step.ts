import { errorAt } from '../dockerfile/source.ts';
import type { RunAction, Step } from '../plan/plan.ts';
import type { Aftermath, Performance } from './performance.ts';
import { openRunMounts } from './run-mounts.ts';
import type { Session } from './session.ts';
import { findStubs } from './stubs.ts';

const TAIL_BYTES = 8 * 1024;
const TAIL_LINES = 20;

/** RUN in a mounted root. @throws UserError `build-step-failed` with the last lines of its output */
export async function performRun(performance: Performance, action: RunAction, root: string): Promise<Aftermath> {
  const { session, step } = performance;
  const { runtime } = session.workshop.options;
  const network = action.network === 'default' ? session.network() : Promise.resolve(action.network);
  network.catch(() => {}); // awaited below, unless something else fails before
  await using mounts = await openRunMounts(performance, action);
  const stubs = await findStubs(
    root,
    mounts.specs.map(({ target }) => target),
  );
  const tail = createTail();
  const { exitCode, oomKilled } = await runtime.runStep({
    rootDirectory: root,
    args: action.args,
    env: [...action.env, ...action.passingEnv, ...mounts.env],
    workingDirectory: action.workingDirectory,
    user: action.user,
    network: await network,
    mounts: mounts.specs,
    isPrivileged: action.security === 'insecure',
    ...(action.network === 'default' ? {} : { extraHosts: session.request.extraHosts ?? [] }),
    ...(session.request.shmSize === undefined ? {} : { shmSizeBytes: session.request.shmSize }),
    onOutput(stream, data) {
      tail.push(data);
      session.request.onProgress({ kind: 'output', step: step.number, stream, data });
    },
    signal: session.signal,
  });
  if (exitCode !== 0) throw stepFailed(session, { step, action, exitCode, oomKilled, tail: tail.lines() });
  return (upper) => stubs.removeFrom(upper);
}

interface Failure {
  readonly step: Step;
  readonly action: RunAction;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly tail: readonly string[];
}

function stepFailed(session: Session, { step, action, exitCode, oomKilled, tail }: Failure): Error {
  const command = action.args.join(' ');
  const said =
    tail.length === 0 ? 'it printed nothing' : `its last output was:\n${tail.map((line) => `  ${line}`).join('\n')}`;
  const killed = oomKilled ? ' (killed: out of memory)' : '';
  return errorAt(session.plan.source, step.position, {
    code: 'build-step-failed',
    kind: 'failed',
    message: `the command '${command}' returned a non-zero code: ${exitCode}${killed}`,
    docker: `The command '${command}' returned a non-zero code: ${exitCode}`,
    fix: `Mend the command; the steps before it are cached. ${said[0]?.toUpperCase()}${said.slice(1)}`,
    details: { command, exitCode, output: tail },
  });
}

function createTail(): { push(data: Buffer): void; lines(): readonly string[] } {
  let text = Buffer.alloc(0);
  return {
    push(data) {
      text = Buffer.concat([text, data]).subarray(-TAIL_BYTES);
    },
    lines() {
      const all = text.toString('utf8').trimEnd();
      return all === '' ? [] : all.split('\n').slice(-TAIL_LINES);
    },
  };
}
