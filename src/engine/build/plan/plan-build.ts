import { nearestWord } from '../../../lib/nearest.ts';
import { UserError } from '../../../lib/errors.ts';
import { type Dockerfile, type Instruction, parseDockerfile } from '../dockerfile/parse.ts';
import { readStatement } from '../dockerfile/read-statement.ts';
import { errorAt, type Position, type Source } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import type { Finding } from '../dockerfile/checks/rules.ts';
import { baseOf } from './base.ts';
import type { BuildPlan, PlanInput, PlanWarning, StagePlan, Step } from './plan.ts';
import { checkWarnings } from './plan-checks.ts';
import { planStage, type UnnumberedStep } from './plan-stage.ts';
import type { FromStatement, Planning, RawStage, StageScope } from './planning.ts';
import { createExpansion, isPredefined, platformArguments } from './variables.ts';

/**
 * Decides what a build does: which stages, in which steps, with everything expanded. Pure.
 * @throws UserError `dockerfile-invalid`, `dockerfile-unsupported`, `image-not-found`, `stage-not-found`
 */
export function planBuild(dockerfile: Dockerfile, input: PlanInput): BuildPlan {
  const { source, directives } = dockerfile;
  const warnings: PlanWarning[] = [];
  const statements = dockerfile.instructions.map((instruction) => readStatement(source, instruction));
  const { before, stages } = splitStages(source, statements);
  const target = targetOf(source, stages, input.target);
  const automatic = platformArguments(input.platform, input.target || (stages.at(-1)?.from.name ?? 'default'));
  const reading = { source, escape: directives.escape, automatic };
  const globals = readGlobals(before, { ...reading, buildArgs: input.buildArgs });
  const findings: Finding[] = [];
  const planning: Planning = {
    source,
    escape: directives.escape,
    input,
    stages,
    globals,
    automatic,
    warn: (warning) => warnings.push(warning),
    find: (finding) => findings.push(finding),
  };
  const planned = planNeeded(planning, target);
  warnUnused(planning, statements);
  const bases = new Map(planned.map(({ index, base, triggers }) => [index, { base, triggers }]));
  const defaults = new Map([...automatic, ...defaultsOf(before, reading, globals)]);
  warnings.push(...checkWarnings({ dockerfile, planning, defaults, bases, findings }));
  return { ...numbered(planned), target, warnings, source };
}

function splitStages(
  source: Source,
  statements: readonly Statement[],
): { readonly before: readonly Statement[]; readonly stages: readonly RawStage[] } {
  const before: Statement[] = [];
  const stages: { index: number; name: string; from: FromStatement; statements: Statement[] }[] = [];
  for (const statement of statements) {
    if (statement.kind === 'from') {
      const index = stages.length;
      stages.push({ index, name: statement.name ?? String(index), from: statement, statements: [] });
    } else if (stages.length > 0) stages.at(-1)?.statements.push(statement);
    else if (statement.kind === 'arg') before.push(statement);
    else {
      throw errorAt(source, statement.instruction.position, {
        message: `${statement.instruction.keyword.toUpperCase()} stands before the first FROM`,
        docker: 'no build stage in current context',
        fix: 'Only ARG may stand there: begin the stage with FROM.',
      });
    }
  }
  if (stages.length === 0) {
    throw errorAt(source, { line: 1, column: 1 }, { message: 'there is no FROM', fix: 'Begin the stage with FROM.' });
  }
  return { before, stages };
}

function targetOf(source: Source, stages: readonly RawStage[], target: string | undefined): number {
  if (target === undefined || target === '') return stages.length - 1;
  const found = stages.findLast((stage) => stage.name === target.toLowerCase()) ?? stages[Number(target)];
  if (found !== undefined) return found.index;
  const near = nearestWord(
    target,
    stages.map(({ name }) => name),
  );
  throw errorAt(source, stages[0]?.from.instruction.position ?? { line: 1, column: 1 }, {
    code: 'stage-not-found',
    message: `there is no build stage "${target}"`,
    docker: `target stage "${target}" could not be found`,
    fix: near === undefined ? `The stages are ${stages.map(({ name }) => name).join(', ')}.` : `Did you mean ${near}?`,
  });
}

interface GlobalsInput extends Pick<Planning, 'source' | 'escape' | 'automatic'> {
  readonly buildArgs: PlanInput['buildArgs'];
}

/** What ARGs before FROM are without `--build-arg`; where one insists on it (`${A:?}`), what they are with it. */
function defaultsOf(
  before: readonly Statement[],
  o: Omit<GlobalsInput, 'buildArgs'>,
  globals: ReadonlyMap<string, string | undefined>,
): ReadonlyMap<string, string | undefined> {
  try {
    return readGlobals(before, { ...o, buildArgs: {} });
  } catch {
    return globals;
  }
}

function readGlobals(statements: readonly Statement[], o: GlobalsInput): ReadonlyMap<string, string | undefined> {
  const globals = new Map<string, string | undefined>();
  const lookup = (name: string): string | undefined => globals.get(name) ?? o.automatic.get(name);
  const expansion = createExpansion(o.source, lookup, o.escape);
  for (const statement of statements) {
    if (statement.kind !== 'arg') continue;
    for (const { name, value } of statement.items) {
      const own = (): string | undefined =>
        value === undefined ? undefined : expansion.word(value, statement.instruction.restPosition);
      globals.set(name, o.buildArgs[name] ?? own() ?? o.automatic.get(name));
    }
  }
  return globals;
}

/** Plans the target and what it needs, in the Dockerfile's order, which always works: stages refer to earlier ones. */
function planNeeded(planning: Planning, target: number): readonly UnnumberedStage[] {
  const planned = new Map<number, UnnumberedStage>();
  const visit = (index: number): UnnumberedStage => {
    const before = planned.get(index);
    if (before !== undefined) return before;
    const raw = planning.stages[index];
    if (raw === undefined) throw new Error(`no stage ${index}`);
    const { base, files, replaces } = baseOf(planning, raw);
    const parent = base.kind === 'stage' ? visit(base.index) : undefined;
    const ownTriggers = base.kind === 'image' ? base.image.config.config?.OnBuild : undefined;
    const triggers = replaces ? [] : triggersOf(planning, raw, parent?.config.OnBuild ?? ownTriggers ?? []);
    const statements = [...triggers, ...(replaces ? [] : raw.statements)];
    const stage = { ...planStage(planning, { raw, base, files, statements, parent }), base, triggers };
    for (const needed of stage.needs) visit(needed);
    planned.set(index, stage);
    return stage;
  };
  visit(target);
  if (planning.input.allStages === true) for (const { index } of planning.stages) visit(index);
  return [...planned.values()].toSorted((a, b) => a.index - b.index);
}

type UnnumberedStage = Omit<StagePlan, 'steps'> &
  StageScope & { readonly steps: readonly UnnumberedStep[]; readonly triggers: readonly Statement[] };

/** ONBUILD instructions of the base run as the first ones of the stage (Dockerfile reference: ONBUILD). */
function triggersOf({ source }: Planning, raw: RawStage, texts: readonly string[]): readonly Statement[] {
  const at = raw.from.instruction.position;
  return texts.flatMap((text) => {
    try {
      return parseDockerfile(text).instructions.map((instruction) => readStatement(source, movedTo(at, instruction)));
    } catch (cause) {
      if (!(cause instanceof UserError)) throw cause;
      throw errorAt(source, at, {
        message: `the base image's "ONBUILD ${text.split('\n', 1)[0]}" cannot be done here: ${String(cause.details?.['said'] ?? cause.message)}`,
        fix: cause.fix,
        code: cause.code,
        kind: cause.kind,
        cause,
      });
    }
  });
}

/** A trigger stands nowhere in this file: what it says is said of FROM. */
function movedTo(position: Position, instruction: Instruction): Instruction {
  const { child } = instruction;
  return {
    ...instruction,
    flags: instruction.flags.map((flag) => ({ ...flag, position })),
    position,
    restPosition: position,
    ...(child === undefined ? {} : { child: movedTo(position, child) }),
  };
}

function numbered(stages: readonly UnnumberedStage[]): Pick<BuildPlan, 'stages' | 'totalSteps'> {
  let number = 0;
  const withNumbers = stages.map(({ variables: _, declared: __, triggers: ___, ...stage }): StagePlan => ({
    ...stage,
    steps: stage.steps.map((step): Step => ({ ...step, number: ++number })),
  }));
  return { stages: withNumbers, totalSteps: number };
}

function warnUnused(planning: Planning, statements: readonly Statement[]): void {
  const declared = new Set(
    statements.flatMap((statement) => (statement.kind === 'arg' ? statement.items.map(({ name }) => name) : [])),
  );
  const unused = Object.keys(planning.input.buildArgs).filter((name) => !declared.has(name) && !isPredefined(name));
  for (const name of unused) {
    const near = nearestWord(name, declared);
    planning.warn({
      code: 'build-arg-unused',
      message: `the build argument ${name} is not used${near === undefined ? '' : `; did you mean ${near}?`}`,
      line: 0,
    });
  }
}
