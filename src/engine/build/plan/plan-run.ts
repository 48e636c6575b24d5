import { posix } from 'node:path';
import { heredocText } from '../dockerfile/lines.ts';
import type { RunMount, Statement } from '../dockerfile/statement.ts';
import { describe } from './created-by.ts';
import { originOf } from './origin.ts';
import type { PlannedMount, RunAction } from './plan.ts';
import type { Applied } from './planning.ts';
import type { StageState } from './stage-state.ts';

type RunStatement = Extract<Statement, { readonly kind: 'run' }>;

export function planRun(state: StageState, statement: RunStatement): Applied {
  const { args, script } = commandOf(state, statement);
  const action: RunAction = {
    kind: 'run',
    args,
    script,
    env: state.environment(),
    passingEnv: state.passingEnvironment(),
    workingDirectory: state.workingDirectory(),
    user: state.config().User ?? '',
    network: statement.network === 'default' ? state.planning.input.networkMode : statement.network,
    mounts: statement.mounts.map((mount) => plannedMount(state, statement, mount)),
  };
  return { action, createdBy: describe.run(args, state.buildArguments()) };
}

/** A here-document alone is the script itself; beside a command, the shell reads it (Here-Documents). */
function commandOf(state: StageState, { command, heredocs }: RunStatement): Pick<RunAction, 'args' | 'script'> {
  if (command.form === 'exec') return { args: command.args, script: undefined };
  const [only] = heredocs;
  if (only === undefined) return { args: [...state.shell(), command.text], script: undefined };
  const isAlone = heredocs.length === 1 && /^\d*<<-?["']?[^<\s"']+["']?$/.test(command.text);
  if (!isAlone) {
    const bodies = heredocs.map(({ content, name }) => `${content}${name}\n`).join('');
    return { args: [...state.shell(), `${command.text}\n${bodies}`], script: undefined };
  }
  const content = heredocText(only);
  if (!content.startsWith('#!')) return { args: [...state.shell(), content], script: undefined };
  const path = `/dev/pipes/${only.name}`;
  return { args: [path], script: { path, content } };
}

function plannedMount(state: StageState, statement: RunStatement, mount: RunMount): PlannedMount {
  const at = statement.instruction.position;
  const target =
    mount.target === '' ? '' : posix.resolve(state.workingDirectory(), state.expansion.word(mount.target, at));
  switch (mount.type) {
    case 'bind':
      return {
        type: 'bind',
        target,
        source: posix.resolve('/', state.expansion.word(mount.source, at)).slice(1) || '.',
        origin: originOf(state, statement, mount.from),
      };
    case 'cache':
      return { ...mount, target, id: state.expansion.word(mount.id, at) };
    case 'tmpfs':
    case 'secret':
      return { ...mount, target };
  }
}
