import { nearestWord } from '../../../lib/nearest.ts';
import { finding } from '../dockerfile/checks/checked.ts';
import type { CheckedStage } from '../dockerfile/checks/checked.ts';
import { checkFile } from '../dockerfile/checks/check-file.ts';
import {
  type CheckConfiguration,
  mistypedRules,
  parseConfiguration,
  toldFindings,
} from '../dockerfile/checks/configuration.ts';
import type { Finding } from '../dockerfile/checks/rules.ts';
import type { Dockerfile } from '../dockerfile/parse.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Statement } from '../dockerfile/statement.ts';
import type { Action, PlanWarning, StageBase } from './plan.ts';
import type { Planning } from './planning.ts';
import type { StageState } from './stage-state.ts';
import { platformText } from './variables.ts';

/**
 * Checks that need what an instruction came to: UndefinedVar, CopyIgnoredFile.
 * @param known variables before it
 */
export function checkStep(
  state: StageState,
  statement: Statement,
  { action, known }: { readonly action: Action; readonly known: readonly string[] },
): readonly Finding[] {
  const names = state.takeUndefined();
  const undefinedVariables = (statement.kind === 'expose' ? [] : names).map((name) => {
    const near = nearestWord(name, known);
    const proposal = near === undefined ? '' : ` (did you mean $${near}?)`;
    return finding(statement.instruction, 'UndefinedVar', `Usage of undefined variable '$${name}'${proposal}`);
  });
  return [...undefinedVariables, ...ignoredSources(state, statement, action)];
}

/** With exceptions nobody can say it from the rules alone. */
function ignoredSources({ planning }: StageState, { instruction }: Statement, action: Action): readonly Finding[] {
  const { ignore } = planning.input;
  if (action.kind !== 'copy' || ignore === undefined || ignore.hasExceptions) return [];
  return action.sources
    .filter(({ origin, path }) => origin.kind === 'context' && ignore.ignores(path))
    .map(({ path }) => {
      const verb = instruction.keyword === 'add' ? 'Add' : 'Copy';
      const message = `Attempting to ${verb} file "${path}" that is excluded by .dockerignore`;
      return finding(instruction, 'CopyIgnoredFile', message);
    });
}

interface CheckedBase {
  readonly base: StageBase;
  readonly triggers: readonly Statement[];
}

interface Planned {
  readonly dockerfile: Dockerfile;
  readonly planning: Planning;
  /** Values that ARGs before FROM have without `--build-arg`. */
  readonly defaults: ReadonlyMap<string, string | undefined>;
  /** Bases of the stages that are needed. */
  readonly bases: ReadonlyMap<number, CheckedBase>;
  /** Of the steps. */
  readonly findings: readonly Finding[];
}

/**
 * All build checks as warnings, in the order of the file.
 * @throws UserError `dockerfile-checks-failed` where `# check=error=true` makes them errors
 */
export function checkWarnings(planned: Planned): readonly PlanWarning[] {
  const { dockerfile, planning } = planned;
  const configuration = configurationOf(dockerfile, planning);
  const all = [
    ...checkFile({
      dockerfile,
      stages: planning.stages.map((stage) => checkedStage(stage, planned.bases.get(stage.index))),
      defaults: planned.defaults,
      targetPlatform: platformText(planning.input.platform),
    }),
    ...planned.findings,
  ];
  const told = toldFindings(all, configuration).toSorted((a, b) => a.line - b.line);
  if (configuration.fails && told.length > 0) throw checksFailed(dockerfile, told);
  return [
    ...mistypedRules(configuration).map(({ name, near }) => ({
      code: 'check-unknown',
      message: `the check ${name} is not known; did you mean ${near}?`,
      line: dockerfile.directives.checkLine ?? 1,
    })),
    ...told.map(({ rule, message, line }) => ({ code: rule, message, line })),
  ];
}

function checkedStage(
  { from, statements }: Pick<CheckedStage, 'from' | 'statements'>,
  found: CheckedBase | undefined,
): CheckedStage {
  const base = found?.base;
  const image = base?.kind === 'image' ? base.image.config : undefined;
  return {
    from,
    statements,
    triggers: found?.triggers ?? [],
    isNeeded: base !== undefined,
    baseStage: base?.kind === 'stage' ? base.index : undefined,
    baseImage:
      image === undefined
        ? undefined
        : { platform: platformText(image), hasShell: (image.config?.Shell ?? []).length > 0 },
  };
}

function configurationOf({ source, directives }: Dockerfile, { input }: Planning): CheckConfiguration {
  const given = input.buildArgs['BUILDKIT_DOCKERFILE_CHECK'];
  const configuration = parseConfiguration(given ?? directives.check ?? '');
  if (!('problem' in configuration)) return configuration;
  throw errorAt(
    source,
    { line: directives.checkLine ?? 1, column: 1 },
    { message: configuration.problem, fix: configuration.fix },
  );
}

function checksFailed({ source }: Dockerfile, told: readonly Finding[]): Error {
  const lines = told.map(({ rule, message, line }) => `  line ${line}: ${rule}: ${message}`);
  const rules = [...new Set(told.map(({ rule }) => rule))].join(',');
  return errorAt(
    source,
    { line: told[0]?.line ?? 1, column: 1 },
    {
      code: 'dockerfile-checks-failed',
      message: `${told.length} build ${told.length === 1 ? 'check' : 'checks'} failed:\n${lines.join('\n')}`,
      fix: `Correct it, skip them (# check=skip=${rules}), or allow them (# check=error=false).`,
    },
  );
}
