import type { Dockerfile, Instruction } from '../parse.ts';
import type { Statement } from '../statement.ts';
import type { Finding } from './rules.ts';

/** What the checks look at. */
export interface CheckedFile {
  readonly dockerfile: Dockerfile;
  readonly stages: readonly CheckedStage[];
  /** ARGs before the first FROM and those that are always there, with the values they have without `--build-arg`. */
  readonly defaults: ReadonlyMap<string, string | undefined>;
  /** `os/architecture[/variant]` */
  readonly targetPlatform: string;
}

export interface CheckedStage {
  readonly from: Extract<Statement, { readonly kind: 'from' }>;
  readonly statements: readonly Statement[];
  /** ONBUILD instructions of its base; they stand where FROM does. */
  readonly triggers: readonly Statement[];
  /** Whether the build makes it: others are not looked into. */
  readonly isNeeded: boolean;
  /** Place of the stage that is its base. */
  readonly baseStage: number | undefined;
  /** What its base image says of itself; undefined for `scratch`, a stage, or an unknown image. */
  readonly baseImage: { readonly platform: string; readonly hasShell: boolean } | undefined;
}

export function finding(instruction: Instruction, rule: Finding['rule'], message: string): Finding {
  return { rule, message, line: instruction.position.line, comments: instruction.comments };
}

/** The stage and those that it builds on, itself first. */
export function lineageOf(file: CheckedFile, stage: CheckedStage): readonly CheckedStage[] {
  const base = stage.baseStage === undefined ? undefined : file.stages[stage.baseStage];
  return base === undefined ? [stage] : [stage, ...lineageOf(file, base)];
}
