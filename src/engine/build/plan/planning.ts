import type { ExecutionConfig } from '../../../lib/oci/index.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import { errorAt, type Source } from '../dockerfile/source.ts';
import type { Finding } from '../dockerfile/checks/rules.ts';
import type { Statement } from '../dockerfile/statement.ts';
import type { Action, PlanInput, PlanWarning, StageBase } from './plan.ts';

export type FromStatement = Extract<Statement, { readonly kind: 'from' }>;

/** A stage as it is written. */
export interface RawStage {
  readonly index: number;
  readonly name: string;
  readonly from: FromStatement;
  readonly statements: readonly Statement[];
}

export interface Planning {
  readonly source: Source;
  readonly escape: string;
  readonly input: PlanInput;
  readonly stages: readonly RawStage[];
  /** ARGs before the first FROM. */
  readonly globals: ReadonlyMap<string, string | undefined>;
  readonly automatic: ReadonlyMap<string, string>;
  warn(warning: PlanWarning): void;
  /** What a build check finds. */
  find(finding: Finding): void;
}

/** @param statement the one that names the image */
export function imageMissing(planning: Planning, statement: Statement, name: string): Error {
  const near = nearestWord(
    name,
    planning.stages.map((stage) => stage.name),
  );
  return errorAt(planning.source, statement.instruction.position, {
    code: 'image-not-found',
    kind: 'not-found',
    message: `no such image: ${name}`,
    fix:
      near === undefined
        ? 'Load it (`docker load`), or make it from packages (`bascule image bootstrap`), or correct its name.'
        : `Did you mean the stage ${near}? Otherwise load the image first.`,
  });
}

export interface StageInput {
  readonly raw: RawStage;
  readonly base: StageBase;
  /** The named context whose files the stage begins with. */
  readonly files: string | undefined;
  /** The base's ONBUILD instructions, then its own. */
  readonly statements: readonly Statement[];
  /** The stage that is the base. */
  readonly parent: ParentStage | undefined;
}

export interface StageScope {
  /** ENV and ARG. */
  readonly variables: ReadonlyMap<string, string>;
  /** ARGs, also those without a value. */
  readonly declared: ReadonlySet<string>;
}

/** What a stage leaves to those that build on it. */
export interface ParentStage extends StageScope {
  readonly config: ExecutionConfig;
  readonly author: string | undefined;
}

/** What an instruction comes to. */
export interface Applied {
  readonly action: Action;
  /** Undefined: no entry in the history (ONBUILD). */
  readonly createdBy: string | undefined;
}
