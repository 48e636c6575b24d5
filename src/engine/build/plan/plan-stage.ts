import { constants } from 'node:os';
import { posix } from 'node:path';
import type { ExecutionConfig } from '../../../lib/oci/index.ts';
import { unreachable } from '../../../lib/errors.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import { checkPorts } from '../dockerfile/checks/check-ports.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import { describe } from './created-by.ts';
import type { StagePlan, Step } from './plan.ts';
import type { Applied, Planning, RawStage, StageInput, StageScope } from './planning.ts';
import { copyOfContext } from './named-context.ts';
import { checkStep } from './plan-checks.ts';
import { planCopy } from './plan-copy.ts';
import { planRun } from './plan-run.ts';
import { createStageState, type StageState } from './stage-state.ts';

export type UnnumberedStep = Omit<Step, 'number'>;

type StatementOf<K extends Statement['kind']> = Extract<Statement, { readonly kind: K }>;

/** Plans one stage: FROM, then the instructions. */
export function planStage(
  planning: Planning,
  o: StageInput,
): Omit<StagePlan, 'steps' | 'base'> & StageScope & { readonly steps: readonly UnnumberedStep[] } {
  const state = createStageState(planning, o);
  const steps = [fromStep(o.raw, o.files), ...o.statements.map((statement) => planStep(state, statement))];
  return {
    index: o.raw.index,
    name: o.raw.name,
    steps,
    needs: [...state.needs],
    config: { ...state.config(), ...labelsOf(planning, state) },
    author: state.author,
    ...state.scope(),
  };
}

function labelsOf(planning: Planning, state: StageState): Pick<ExecutionConfig, 'Labels'> {
  const labels = { ...state.config().Labels, ...planning.input.labels };
  return Object.keys(labels).length === 0 ? {} : { Labels: labels };
}

function fromStep(raw: RawStage, files: string | undefined): UnnumberedStep {
  return {
    text: raw.from.instruction.original,
    position: raw.from.instruction.position,
    ...(files === undefined
      ? { createdBy: undefined, action: { kind: 'metadata' } }
      : { createdBy: `FROM ${files} # buildkit`, action: copyOfContext(files) }),
  };
}

function planStep(state: StageState, statement: Statement): UnnumberedStep {
  const known = [...state.scope().variables.keys()];
  const { action, createdBy } = apply(state, statement);
  for (const found of checkStep(state, statement, { action, known })) state.planning.find(found);
  return { text: statement.instruction.original, position: statement.instruction.position, createdBy, action };
}

function apply(state: StageState, statement: Statement): Applied {
  switch (statement.kind) {
    case 'run':
      return planRun(state, statement);
    case 'copy':
      return planCopy(state, statement);
    case 'workdir':
      return applyWorkdir(state, statement);
    case 'arg':
      return metadata(applyArg(state, statement));
    case 'env':
      return metadata(applyEnv(state, statement));
    case 'label':
      return metadata(applyLabel(state, statement));
    case 'expose':
      return metadata(applyExpose(state, statement));
    case 'volume':
      return metadata(applyVolume(state, statement));
    case 'user':
    case 'stopsignal':
    case 'maintainer':
      return metadata(applyValue(state, statement));
    case 'cmd':
    case 'entrypoint':
      return metadata(applyCommand(state, statement));
    case 'shell':
      state.set({ Shell: statement.args });
      return metadata(`SHELL [${statement.args.join(' ')}]`);
    case 'healthcheck':
      state.set({ Healthcheck: statement.check });
      return metadata(describe.healthcheck(statement.check));
    case 'onbuild':
      state.set({ OnBuild: [...(state.config().OnBuild ?? []), statement.text] });
      return metadata(undefined);
    case 'from':
      throw new Error('FROM inside a stage');
    default:
      return unreachable(statement);
  }
}

function metadata(createdBy: string | undefined): Applied {
  return { action: { kind: 'metadata' }, createdBy };
}

function applyArg(state: StageState, { items, instruction }: StatementOf<'arg'>): string {
  const words = items.map(({ name, value }) => {
    const effective = state.declareArgument(name, () =>
      value === undefined ? undefined : state.expansion.word(value, instruction.restPosition),
    );
    return effective === undefined ? name : `${name}=${effective}`;
  });
  return `ARG ${words.join(' ')}`;
}

function applyEnv(state: StageState, { pairs, instruction }: StatementOf<'env'>): string {
  const at = instruction.restPosition;
  const expanded = pairs.map(
    ([name, value]) => [state.expansion.word(name, at), state.expansion.word(value, at)] as const,
  );
  for (const [name, value] of expanded) state.setEnv(name, value);
  return `ENV ${expanded.map(([name, value]) => `${name}=${value}`).join(' ')}`;
}

function applyLabel(state: StageState, { pairs, instruction }: StatementOf<'label'>): string {
  const at = instruction.restPosition;
  const expanded = pairs.map(
    ([name, value]) => [state.expansion.word(name, at), state.expansion.word(value, at)] as const,
  );
  state.set({ Labels: { ...state.config().Labels, ...Object.fromEntries(expanded) } });
  return `LABEL ${expanded.map(([name, value]) => `${name}=${value}`).join(' ')}`;
}

function applyExpose(state: StageState, { values, instruction }: StatementOf<'expose'>): string {
  const at = instruction.restPosition;
  const words = values.toSorted().flatMap((value) => state.expansion.words(value, at));
  for (const found of checkPorts(instruction, words)) state.planning.find(found);
  const ports = words.flatMap((word) => {
    const range = portsOf(word);
    if (range !== undefined) return range;
    throw errorAt(state.source, at, {
      message: `EXPOSE: "${word}" is no port`,
      fix: 'Write it as PORT, FIRST-LAST, or PORT/udp; the protocols are tcp, udp and sctp.',
    });
  });
  const added = Object.fromEntries(ports.map((port): [string, Record<string, never>] => [port, {}]));
  state.set({ ExposedPorts: { ...state.config().ExposedPorts, ...added } });
  return `EXPOSE [${ports.join(' ')}]`;
}

/** Of `[[address:]host port:]port[-port][/protocol]`: what stands before the last colon means nothing here. */
function portsOf(word: string): readonly string[] | undefined {
  const [, first, last, protocol = 'tcp'] =
    /^(?:.*:)?(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp)?)?$/i.exec(word) ?? [];
  const from = Number(first);
  const to = last === undefined ? from : Number(last);
  if (first === undefined || to > 65_535 || to < from) return undefined;
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

function applyVolume(state: StageState, { values, instruction }: StatementOf<'volume'>): string {
  const paths = values.map((value) => state.expansion.word(value, instruction.restPosition).trim());
  if (paths.includes('')) {
    throw errorAt(state.source, instruction.restPosition, {
      message: 'VOLUME: a path is empty',
      fix: 'Name a folder, for example VOLUME /data.',
    });
  }
  const added = Object.fromEntries(paths.map((path): [string, Record<string, never>] => [path, {}]));
  state.set({ Volumes: { ...state.config().Volumes, ...added } });
  return `VOLUME [${paths.join(' ')}]`;
}

function applyValue(state: StageState, statement: StatementOf<'user' | 'stopsignal' | 'maintainer'>): string {
  const { kind, instruction } = statement;
  if (kind === 'maintainer') {
    state.author = statement.value;
    return `MAINTAINER ${statement.value}`;
  }
  const value = state.expansion.word(statement.value, instruction.restPosition);
  if (kind === 'stopsignal' && !isSignal(value)) {
    const near = nearestWord(value, SIGNALS);
    throw errorAt(state.source, instruction.restPosition, {
      message: `STOPSIGNAL: "${value}" is no signal`,
      fix: near === undefined ? 'Write a name such as SIGTERM, or its number.' : `Did you mean ${near}?`,
    });
  }
  state.set(kind === 'user' ? { User: value } : { StopSignal: value });
  return `${kind.toUpperCase()} ${value}`;
}

const SIGNALS = Object.keys(constants.signals);

/** A number, or a name with or without SIG; real-time signals are counted from either end. */
function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) > 0;
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  return SIGNALS.includes(name) || /^SIGRT(?:MIN(?:\+\d{1,2})?|MAX(?:-\d{1,2})?)$/.test(name);
}

function applyCommand(state: StageState, { kind, command }: StatementOf<'cmd' | 'entrypoint'>): string {
  const args = command.form === 'exec' ? command.args : [...state.shell(), command.text];
  if (kind === 'cmd') {
    state.hasOwnCommand = true;
    state.set({ Cmd: args });
  } else {
    state.set({ Entrypoint: args, ...(state.hasOwnCommand ? {} : { Cmd: null }) });
  }
  return `${kind.toUpperCase()} [${args.map((word) => JSON.stringify(word)).join(' ')}]`;
}

function applyWorkdir(state: StageState, { value, instruction }: StatementOf<'workdir'>): Applied {
  const given = state.expansion.word(value, instruction.restPosition);
  const path = posix.resolve(state.workingDirectory(), given);
  const written = given.startsWith('/') ? given : path;
  state.set({ WorkingDir: written });
  return {
    action: { kind: 'workdir', path, user: state.config().User ?? '' },
    createdBy: `WORKDIR ${written}`,
  };
}
