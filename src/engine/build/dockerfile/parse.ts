import {
  type Directives,
  type Heredoc,
  type LogicalLine,
  positionIn,
  readDirectives,
  readLogicalLines,
} from './lines.ts';
import { errorAt, type Position, type Source, sourceOf } from './source.ts';
import { skipSpace, splitFlags, splitWords } from './words.ts';

export interface Flag {
  /** `--name=value`, unquoted. */
  readonly text: string;
  readonly position: Position;
}

export interface FlagValue {
  readonly value: string;
  readonly flag: Flag;
}

/** One instruction, split but not interpreted. Nothing is expanded yet. */
export interface Instruction {
  /** In lower case; it need not be a known one. */
  readonly keyword: string;
  /** The whole instruction on one line. */
  readonly original: string;
  readonly flags: readonly Flag[];
  /** Words of the instruction, by its own rules; ENV and LABEL: name, value, `=` or nothing, again and again. */
  readonly args: readonly string[];
  /** Whether `args` were written as a JSON array. */
  readonly isJson: boolean;
  /** The text after the flags. */
  readonly rest: string;
  /** Of ONBUILD. */
  readonly child?: Instruction;
  readonly heredocs: readonly Heredoc[];
  /** The comment lines directly above. */
  readonly comments: readonly string[];
  readonly position: Position;
  /** Where the text after the flags begins. */
  readonly restPosition: Position;
  readonly endLine: number;
}

export interface Dockerfile {
  readonly source: Source;
  readonly directives: Directives;
  readonly instructions: readonly Instruction[];
  /** Instructions that go on after an empty line. */
  readonly emptyContinuations: readonly { readonly line: number }[];
}

/** Where a flag stands; of the instruction where it has none of that name. */
export function flagPosition({ flags, position }: Instruction, name: string): Position {
  const flag = flags.find(({ text }) => text === `--${name}` || text.startsWith(`--${name}=`));
  return flag?.position ?? position;
}

/**
 * Parses a Dockerfile (Dockerfile reference, Format): pure, positions exact, nothing expanded.
 * @throws UserError `dockerfile-invalid` with `file:line:column` and the line
 */
export function parseDockerfile(text: string, file = 'Dockerfile'): Dockerfile {
  const source = sourceOf(text, file);
  const directives = readDirectives(source);
  const { lines, emptyContinuations } = readLogicalLines(source, directives.escape);
  const instructions = lines.map((line) => parseLine({ source, line, escape: directives.escape }, 0));
  if (instructions.length === 0) {
    throw errorAt(
      source,
      { line: 1, column: 1 },
      {
        message: 'the file has no instructions',
        docker: `the Dockerfile (${file}) cannot be empty`,
        fix: 'Begin it with FROM and the name of an image.',
      },
    );
  }
  return { source, directives, instructions, emptyContinuations };
}

interface Reading {
  readonly source: Source;
  readonly line: LogicalLine;
  readonly escape: string;
}

function parseLine(reading: Reading, from: number): Instruction {
  const { line } = reading;
  const start = skipSpace(line.text, from);
  const word = /^[^\t\v\f\r ]+/.exec(line.text.slice(start))?.[0] ?? '';
  const afterKeyword = start + word.length;
  const { flags, restOffset } = splitFlags(line.text.slice(afterKeyword));
  const restFrom = afterKeyword + restOffset;
  const rest = line.text.slice(restFrom).trim();
  const keyword = word.toLowerCase();
  const body = bodyOf({ ...reading, keyword, rest, restFrom });
  return {
    keyword,
    original: line.text.slice(start).trim(),
    flags: flags.map((flag) => ({ text: flag.text, position: positionIn(line, afterKeyword + flag.offset) })),
    rest,
    ...body,
    heredocs: line.heredocs,
    comments: line.comments,
    position: positionIn(line, start),
    restPosition: positionIn(line, restFrom),
    endLine: line.endLine,
  };
}

interface Body {
  readonly args: readonly string[];
  readonly isJson: boolean;
  readonly child?: Instruction;
}

interface Rest extends Reading {
  readonly keyword: string;
  readonly rest: string;
  readonly restFrom: number;
}

function bodyOf(o: Rest): Body {
  switch (o.keyword) {
    case 'add':
    case 'copy':
    case 'volume':
      return jsonOr(o, spaceSeparated(o.rest));
    case 'cmd':
    case 'entrypoint':
    case 'run':
    case 'shell':
      return jsonOr(o, o.rest === '' ? [] : [o.rest]);
    case 'env':
    case 'label':
      return { args: namesAndValues(o), isJson: false };
    case 'arg':
      return { args: splitWords(o.rest, o.escape).map(({ text }) => text), isJson: false };
    case 'expose':
    case 'from':
      return { args: spaceSeparated(o.rest), isJson: false };
    case 'healthcheck':
      return healthcheck(o);
    case 'onbuild':
      return o.rest === '' ? { args: [], isJson: false } : { args: [], isJson: false, child: parseLine(o, o.restFrom) };
    default:
      return { args: o.rest === '' ? [] : [o.rest], isJson: false };
  }
}

function spaceSeparated(rest: string): readonly string[] {
  return rest === '' ? [] : rest.split(/[\t\v\f\r ]+/);
}

/** What is no valid JSON array is taken as plain words; an array of something else than strings is an error. */
function jsonOr(o: Rest, plain: readonly string[]): Body {
  const array = o.rest.startsWith('[') ? parseArray(o.rest) : undefined;
  if (array === undefined) return { args: plain, isJson: false };
  if (array.every((value) => typeof value === 'string')) return { args: array, isJson: true };
  throw errorAt(o.source, positionIn(o.line, o.restFrom), {
    message: `${o.keyword.toUpperCase()}: a JSON array must hold strings only`,
    fix: 'Put every word in double quotes.',
  });
}

function parseArray(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function namesAndValues(o: Rest): readonly string[] {
  const words = splitWords(o.rest, o.escape);
  const keyword = o.keyword.toUpperCase();
  if (words.length === 0) return [];
  if (!words[0]!.text.includes('=')) {
    const [, name, value] = /^([^\t\v\f\r ]+)[\t\v\f\r ]+([^]*)$/.exec(o.rest) ?? [];
    if (name !== undefined && value !== undefined) return [name, value, ''];
    throw errorAt(o.source, positionIn(o.line, o.restFrom), {
      message: `${keyword} must have two arguments`,
      docker: `failed to parse Dockerfile: ${keyword} must have two arguments`,
      fix: `Write it as ${keyword} ${o.rest}=value.`,
    });
  }
  return words.flatMap(({ text, offset }) => {
    const at = text.indexOf('=');
    if (at >= 0) return [text.slice(0, at), text.slice(at + 1), '='];
    throw errorAt(o.source, positionIn(o.line, o.restFrom + offset), {
      message: `${keyword}: there is no "=" in "${text}"`,
      fix: 'Write every pair as name=value, and values with spaces in double quotes.',
    });
  });
}

function healthcheck(o: Rest): Body {
  const [, kind, command] = /^(\S+)\s*([^]*)$/.exec(o.rest) ?? [];
  if (kind === undefined || command === undefined) return { args: [], isJson: false };
  const body = jsonOr({ ...o, rest: command }, command === '' ? [] : [command]);
  return { args: [kind, ...body.args], isJson: body.isJson };
}
