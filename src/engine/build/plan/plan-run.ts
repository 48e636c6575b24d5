import { posix } from 'node:path';
import { heredocStart } from '../dockerfile/heredoc-start.ts';
import { heredocText } from '../dockerfile/lines.ts';
import { errorAt } from '../dockerfile/source.ts';
import { readRunMount } from '../dockerfile/run-mount.ts';
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
    security: statement.security,
    mounts: plannedMounts(state, statement),
  };
  return { action, createdBy: describe.run(args, state.buildArguments()) };
}

/** A here-document alone is the script itself; beside a command, the shell reads it (Here-Documents). */
function commandOf(state: StageState, { command, heredocs }: RunStatement): Pick<RunAction, 'args' | 'script'> {
  if (command.form === 'exec') return { args: command.args, script: undefined };
  const [only] = heredocs;
  if (only === undefined) return { args: [...state.shell(), command.text], script: undefined };
  const isAlone = heredocs.length === 1 && heredocStart(command.text.replace(/^(\d*<<-?)\s+/, '$1')) !== undefined;
  if (!isAlone) {
    const bodies = heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
    return { args: [...state.shell(), command.text + bodies], script: undefined };
  }
  const content = heredocText(only);
  if (!content.startsWith('#!')) return { args: [...state.shell(), content], script: undefined };
  const path = `/dev/pipes/${only.name}`;
  return { args: [...state.shell(), path], script: { path, content } };
}

function plannedMounts(state: StageState, statement: RunStatement): readonly PlannedMount[] {
  let agents = 0;
  return statement.mounts.map((flag) => {
    const expand = (text: string): string => state.expansion.word(text, flag.flag.position);
    const mount = readRunMount(state.source, flag, expand);
    const planned = plannedMount(state, statement, mount);
    if (planned.type !== 'ssh') return planned;
    const number = agents++;
    return { ...planned, target: planned.target || `/run/buildkit/ssh_agent.${number}`, isDefault: number === 0 };
  });
}

function plannedMount(state: StageState, statement: RunStatement, mount: RunMount): PlannedMount {
  const target = targetOf(state, statement, mount);
  switch (mount.type) {
    case 'bind': {
      const { from, source, ...bind } = mount;
      return { ...bind, target, source: pathOf(source), origin: originOf(state, statement, from) };
    }
    case 'cache': {
      const { from, source, ...cache } = mount;
      const seed =
        from === undefined ? undefined : { origin: originOf(state, statement, from), source: pathOf(source) };
      return { ...cache, target, seed };
    }
    case 'ssh':
      return { ...mount, target, isDefault: false };
    case 'tmpfs':
    case 'secret':
      return { ...mount, target };
  }
}

function targetOf(state: StageState, statement: RunStatement, mount: RunMount): string {
  if (mount.target === '') return '';
  const target = posix.resolve(state.workingDirectory(), mount.target);
  if (target !== '/') return target;
  throw errorAt(state.source, statement.instruction.position, {
    message: `a ${mount.type} mount cannot cover the root folder`,
    fix: 'Name a folder below it as the target.',
  });
}

function pathOf(source: string): string {
  return posix.resolve('/', source).slice(1) || '.';
}
