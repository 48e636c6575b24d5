import { errorAt } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import type { Origin } from './plan.ts';
import { imageMissing } from './planning.ts';
import type { StageState } from './stage-state.ts';

/** What `--from` names: an earlier stage by name or number, else an image; absent: the context. */
export function originOf(state: StageState, statement: Statement, from: string | undefined): Origin {
  if (from === undefined) return { kind: 'context' };
  const { stages, input, source } = state.planning;
  const isNumber = /^\d+$/.test(from);
  const named = stages.findLast(
    (stage) =>
      stage.index < state.index && (stage.name === from.toLowerCase() || (isNumber && stage.index === Number(from))),
  );
  if (named !== undefined) {
    state.needs.add(named.index);
    return { kind: 'stage', index: named.index };
  }
  const later = stages.find((stage) => stage.name === from.toLowerCase() || (isNumber && stage.index === Number(from)));
  if (later !== undefined || isNumber) {
    throw errorAt(source, statement.instruction.position, {
      message: `--from=${from} names ${later === undefined ? 'no build stage' : 'this stage or a later one'}`,
      fix: 'A stage reads from stages above it: move that stage up, or correct the name.',
    });
  }
  const image = input.findImage(from);
  if (image !== undefined) return { kind: 'image', image };
  throw imageMissing(state.planning, statement, from);
}
