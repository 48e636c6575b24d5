import { nearestWord } from '../../../lib/nearest.ts';
import type { Flag, Instruction } from './parse.ts';
import { errorAt, type Source, unsupportedAt } from './source.ts';
import { FLAGS } from './statement.ts';

export interface FlagValue {
  readonly value: string;
  readonly flag: Flag;
}

/** The flags of an instruction by name; a flag given twice is an error, except RUN --mount. */
export interface FlagSet {
  get(name: string): FlagValue | undefined;
  all(name: string): readonly FlagValue[];
}

/** @throws UserError for flags that the instruction does not have, with the nearest that it has */
export function readFlags(source: Source, instruction: Instruction): FlagSet {
  const { known, unsupported } = FLAGS[instruction.keyword] ?? { known: [], unsupported: [] };
  const values = new Map<string, FlagValue[]>();
  for (const flag of instruction.flags) {
    const [, name = '', value] = /^--([^=]*)(?:=([^]*))?$/.exec(flag.text) ?? [];
    if (unsupported.includes(name)) throw unsupportedAt(source, flag.position, `${spelled(instruction)} --${name}`);
    if (!known.includes(name)) throw unknownFlag(source, { instruction, flag, name, known });
    if (value === undefined && name !== 'link') {
      throw errorAt(source, flag.position, {
        message: `the flag --${name} needs a value`,
        fix: `Write --${name}=VALUE.`,
      });
    }
    const before = values.get(name) ?? [];
    if (before.length > 0 && name !== 'mount') {
      throw errorAt(source, flag.position, {
        message: `the flag --${name} is given twice`,
        fix: 'Remove one of them.',
      });
    }
    values.set(name, [...before, { value: value ?? 'true', flag }]);
  }
  return { get: (name) => values.get(name)?.[0], all: (name) => values.get(name) ?? [] };
}

interface UnknownFlag {
  readonly instruction: Instruction;
  readonly flag: Flag;
  readonly name: string;
  readonly known: readonly string[];
}

function unknownFlag(source: Source, { instruction, flag, name, known }: UnknownFlag): Error {
  const near = nearestWord(name, known);
  const list = known.map((word) => `--${word}`).join(', ') || 'none';
  return errorAt(source, flag.position, {
    message: `unknown flag --${name} of ${spelled(instruction)}`,
    fix: near === undefined ? `${spelled(instruction)} has these flags: ${list}.` : `Did you mean --${near}?`,
  });
}

function spelled(instruction: Instruction): string {
  return instruction.keyword.toUpperCase();
}
