import { nearestWord } from '../../../lib/nearest.ts';
import type { Flag, FlagValue, Instruction } from './parse.ts';
import { errorAt, parseErrorOn, type Source } from './source.ts';
import { type FlagKind, FLAGS } from './statement.ts';

/** The flags of an instruction by name. */
export interface FlagSet {
  get(name: string): FlagValue | undefined;
  all(name: string): readonly FlagValue[];
  /** Of a switch; undefined where it is not given. */
  isOn(name: string): boolean | undefined;
}

/** @throws UserError for flags that the instruction does not have, with the nearest that it has */
export function readFlags(source: Source, instruction: Instruction): FlagSet {
  const values = new Map<string, FlagValue[]>();
  for (const flag of instruction.flags) {
    const { name, value } = readFlag(source, instruction, flag);
    values.set(name, [...(values.get(name) ?? []), { value, flag }]);
  }
  for (const [name, given] of values) refuseRepeated(source, instruction, { name, given });
  return {
    get: (name) => values.get(name)?.[0],
    all: (name) => values.get(name) ?? [],
    isOn(name) {
      const given = values.get(name)?.[0];
      return given === undefined ? undefined : given.value === 'true';
    },
  };
}

function readFlag(
  source: Source,
  instruction: Instruction,
  flag: Flag,
): { readonly name: string; readonly value: string } {
  const [, name = '', value] = /^--([^=]*)(?:=([^]*))?$/.exec(flag.text) ?? [];
  const kind = kindOf(instruction, name);
  if (kind === undefined) throw unknownFlag(source, instruction, { flag, name });
  if (kind === 'switch') return { name, value: switchValue(source, flag, { name, value }) };
  if (value !== undefined) return { name, value };
  throw errorAt(source, flag.position, {
    message: `the flag --${name} needs a value`,
    fix: `Write --${name}=VALUE.`,
  });
}

function kindOf({ keyword }: Instruction, name: string): FlagKind | undefined {
  const flags = FLAGS[keyword] ?? {};
  return Object.hasOwn(flags, name) ? flags[name] : undefined;
}

function switchValue(
  source: Source,
  flag: Flag,
  { name, value = 'true' }: { readonly name: string; readonly value: string | undefined },
): string {
  const word = value.toLowerCase();
  if (word === 'true' || word === 'false') return word;
  throw errorAt(source, flag.position, {
    message: `--${name} is either true or false, not "${value}"`,
    fix: `Write --${name}, --${name}=true or --${name}=false.`,
  });
}

function refuseRepeated(
  source: Source,
  instruction: Instruction,
  { name, given }: { readonly name: string; readonly given: readonly FlagValue[] },
): void {
  const second = given[1];
  if (second === undefined || kindOf(instruction, name) === 'values') return;
  throw errorAt(source, second.flag.position, {
    message: `the flag --${name} is given twice`,
    fix: 'Remove one of them.',
  });
}

function unknownFlag(
  source: Source,
  instruction: Instruction,
  { flag, name }: { readonly flag: Flag; readonly name: string },
): Error {
  const known = Object.keys(FLAGS[instruction.keyword] ?? {});
  const spelled = instruction.keyword.toUpperCase();
  const near = nearestWord(name, known);
  const list = known.map((word) => `--${word}`).join(', ');
  const all = list === '' ? `${spelled} has no flags.` : `${spelled} has these flags: ${list}.`;
  return errorAt(source, flag.position, {
    message: `unknown flag --${name} of ${spelled}`,
    docker: parseErrorOn(
      flag.position,
      `unknown flag: --${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    ),
    fix: near === undefined ? all : `Did you mean --${near}?`,
  });
}
