import { flagPosition } from '../dockerfile/parse.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import { namedContextOf } from './named-context.ts';
import type { Origin } from './plan.ts';
import { imageMissing } from './planning.ts';
import type { StageState } from './stage-state.ts';

/** What `--from` names: a named context, an earlier stage by name or number, else an image; absent: the context. */
export function originOf(state: StageState, statement: Statement, from: string | undefined): Origin {
  if (from === undefined) return { kind: 'context' };
  const { planning } = state;
  if (from.includes('$')) throw variableInFrom(state, statement, from);
  const given = namedContextOf(planning.input, from);
  if (given?.context.kind === 'image') return given.context;
  if (given !== undefined) return { kind: 'named-context', name: given.key };
  const stage = stageOf(state, statement, from);
  if (stage !== undefined) {
    state.needs.add(stage);
    return { kind: 'stage', index: stage };
  }
  const image = planning.input.findImage(from);
  if (image !== undefined) return { kind: 'image', image };
  throw imageMissing(planning, statement, from);
}

/** Which stages are needed is known before variables are. */
function variableInFrom(state: StageState, statement: Statement, from: string): Error {
  return errorAt(state.source, flagPosition(statement.instruction, 'from'), {
    message: `--from=${from}: a variable cannot be used there`,
    fix: `Declare the ARG before the first FROM, name a stage (FROM ${from} AS name), and write --from=name.`,
  });
}

function stageOf(state: StageState, statement: Statement, from: string): number | undefined {
  const isNumber = /^\d+$/.test(from);
  const named = state.planning.stages.filter(
    ({ name, index }) => name === from.toLowerCase() || (isNumber && index === Number(from)),
  );
  const earlier = named.findLast(({ index }) => index < state.index);
  if (earlier !== undefined) return earlier.index;
  if (named.length === 0 && !isNumber) return undefined;
  throw errorAt(state.source, flagPosition(statement.instruction, 'from'), {
    message: `--from=${from} names ${named.length === 0 ? 'no build stage' : 'this stage or a later one'}`,
    fix: 'A stage reads from stages above it: move that stage up, or correct the name.',
  });
}
