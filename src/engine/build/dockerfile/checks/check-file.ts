import type { Dockerfile, Instruction } from '../parse.ts';
import { checkFroms } from './check-from.ts';
import { checkStage } from './check-stage.ts';
import { type CheckedFile, type CheckedStage, finding } from './checked.ts';
import type { Finding } from './rules.ts';

/** The build checks that the file alone, and the bases of its stages, can tell. Pure. */
export function checkFile(file: CheckedFile): readonly Finding[] {
  return [
    ...checkContinuations(file.dockerfile),
    ...checkStageNames(file.stages),
    ...checkCasing(file.stages),
    ...file.dockerfile.instructions.flatMap((instruction) => [
      ...checkMaintainer(instruction),
      ...checkDescription(instruction),
    ]),
    ...checkFroms(file),
    ...file.stages.filter(({ isNeeded }) => isNeeded).flatMap((stage) => checkStage(file, stage)),
  ];
}

function checkContinuations({ emptyContinuations }: Dockerfile): readonly Finding[] {
  return emptyContinuations.map(({ line }) => ({
    rule: 'NoEmptyContinuation',
    message: 'Empty continuation line',
    line,
    comments: [],
  }));
}

function checkStageNames(stages: readonly CheckedStage[]): readonly Finding[] {
  const seen = new Set<string>();
  return stages.flatMap(({ from }) => {
    const [, as, written] = from.instruction.args;
    if (as === undefined || written === undefined) return [];
    const name = written.toLowerCase();
    const told: Finding[] = [];
    const tell = (rule: Finding['rule'], message: string): void => {
      told.push(finding(from.instruction, rule, message));
    };
    if (written !== name) tell('StageNameCasing', `Stage name '${written}' should be lowercase`);
    const keyword = spelled(from.instruction);
    if (isUniform(keyword) && as !== inCaseOf(keyword, as)) {
      tell('FromAsCasing', `'${as}' and '${keyword}' keywords' casing do not match`);
    }
    if (name === 'scratch' || name === 'context') {
      tell('ReservedStageName', `Stage name should not use the same name as reserved stage "${name}"`);
    }
    if (seen.has(name)) tell('DuplicateStageName', `Duplicate stage name "${name}", stage names should be unique`);
    seen.add(name);
    return told;
  });
}

function checkCasing(stages: readonly CheckedStage[]): readonly Finding[] {
  const instructions = stages.flatMap(({ from, statements }) => [from, ...statements]).map((one) => one.instruction);
  const uniform = instructions.map(spelled).filter(isUniform);
  const lower = uniform.filter((word) => word === word.toLowerCase()).length;
  const majority = lower > uniform.length - lower ? 'lowercase' : 'uppercase';
  return instructions.flatMap((instruction) => {
    const word = spelled(instruction);
    if (word === (majority === 'lowercase' ? word.toLowerCase() : word.toUpperCase())) return [];
    const message = `Command '${word}' should match the case of the command majority (${majority})`;
    return [finding(instruction, 'ConsistentInstructionCasing', message)];
  });
}

function checkMaintainer(instruction: Instruction): readonly Finding[] {
  if (instruction.keyword !== 'maintainer') return [];
  const message = 'Maintainer instruction is deprecated in favor of using label';
  return [finding(instruction, 'MaintainerDeprecated', message)];
}

/** A comment directly above a stage or an ARG is taken for its description. */
function checkDescription(instruction: Instruction): readonly Finding[] {
  const names = describedNames(instruction);
  const [word = ''] = (instruction.comments.at(-1) ?? '').split(' ', 1);
  if (names.length === 0 || word === '' || names.includes(word) || /^check\s*=/i.test(word)) return [];
  const example = names.length === 1 ? names[0] : '<arg_key>';
  const message = `Comment for ${instruction.keyword.toUpperCase()} should follow the format: \`# ${example} <description>\``;
  return [finding(instruction, 'InvalidDefinitionDescription', message)];
}

function describedNames({ keyword, args }: Instruction): readonly string[] {
  if (keyword === 'arg') return args.map((word) => word.split('=', 1)[0] ?? '');
  return keyword === 'from' && args[2] !== undefined ? [args[2].toLowerCase()] : [];
}

function spelled({ original }: Instruction): string {
  return original.split(/\s/, 1)[0] ?? '';
}

function isUniform(word: string): boolean {
  return word === word.toLowerCase() || word === word.toUpperCase();
}

function inCaseOf(keyword: string, word: string): string {
  return keyword === keyword.toLowerCase() ? word.toLowerCase() : word.toUpperCase();
}
