import { posix } from 'node:path';
import { parseIgnore } from '../../../lib/dockerignore.ts';
import { heredocStart } from '../dockerfile/heredoc-start.ts';
import { type Heredoc, heredocText } from '../dockerfile/lines.ts';
import { type ModeChange, parseMode } from '../dockerfile/mode.ts';
import { remoteOf } from '../dockerfile/remote.ts';
import { flagPosition } from '../dockerfile/parse.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { CopyStatement } from '../dockerfile/statement.ts';
import { describe } from './created-by.ts';
import { originOf } from './origin.ts';
import type { CopyAction, CopySource, Origin } from './plan.ts';
import { remoteSource } from './plan-remote.ts';
import type { Applied } from './planning.ts';
import type { StageState } from './stage-state.ts';

export function planCopy(state: StageState, statement: CopyStatement): Applied {
  const at = statement.instruction.restPosition;
  const expand = (text: string): string => state.expansion.word(text, at);
  const inline = new Map(statement.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const heredocs = statement.sources.flatMap((word) => inline.get(heredocStart(word)?.name ?? '') ?? []);
  const written = statement.sources.filter((word) => !inline.has(heredocStart(word)?.name ?? '')).map(expand);
  const destination = expand(statement.destination);
  const [chown, chmod] = [statement.chown, statement.chmod].map((flag) =>
    flag === undefined ? undefined : expand(flag),
  );
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(destination);
  const hasMany = statement.sources.length > 1;
  if (hasMany && !isDirectory) warnOfManyIntoOne(state, statement, destination);
  const action: CopyAction = {
    kind: 'copy',
    sources: sourcesOf(state, statement, written),
    inlineFiles: heredocs.map((heredoc) => ({ name: heredoc.name, content: contentOf(state, statement, heredoc) })),
    destination: posix.resolve(state.workingDirectory(), destination),
    intoDirectory: isDirectory || hasMany,
    chown,
    chmod: modeOf(state, statement, chmod),
    excludes: statement.excludes.map((pattern) => excludeOf(state, statement, expand(pattern))),
    isLinked: statement.link,
  };
  const names = [...written, ...heredocs.map(({ name }) => `<<${name}`)];
  const { isAdd, parents } = statement;
  return { action, createdBy: describe.copy({ isAdd, parents, chown, chmod, sources: names, destination }) };
}

function contentOf(state: StageState, statement: CopyStatement, heredoc: Heredoc): string {
  const text = heredocText(heredoc);
  return heredoc.expands ? state.expansion.heredoc(text, statement.instruction.restPosition) : text;
}

/** BuildKit takes it, too; where the folder is not there it would write every file over the one before. */
function warnOfManyIntoOne(state: StageState, { instruction }: CopyStatement, destination: string): void {
  state.planning.warn({
    code: 'copy-many-into-one',
    message: `"${destination}" is taken as a folder: there is more than one source; write ${destination}/`,
    line: instruction.position.line,
  });
}

function sourcesOf(state: StageState, statement: CopyStatement, written: readonly string[]): readonly CopySource[] {
  const sources = written.map((text) => {
    const remote = remoteOf(text);
    return remote === undefined
      ? localSource(originOf(state, statement, statement.from), statement, text)
      : remoteSource(state, statement, { text, remote });
  });
  refuseChecksum(state, statement, sources);
  return sources;
}

function refuseChecksum(state: StageState, statement: CopyStatement, sources: readonly CopySource[]): void {
  const isOneRemote = sources.length === 1 && ['url', 'git'].includes(sources[0]?.origin.kind ?? '');
  if (statement.checksum === undefined || isOneRemote) return;
  throw errorAt(state.source, flagPosition(statement.instruction, 'checksum'), {
    message: '--checksum belongs to one source that is a URL or a git repository',
    fix: 'Write an ADD of its own for that source, or remove the flag.',
  });
}

/** Paths begin at the root of where they come from, and never leave it: `../x` is `x`. */
function localSource(origin: Origin, { isAdd, parents, unpack }: CopyStatement, text: string): CopySource {
  const pivot = parents ? text.indexOf('/./') : -1;
  return {
    origin,
    path: insideRoot(text),
    parentsBelow: parents ? (pivot < 0 ? '' : insideRoot(text.slice(0, pivot)).replace(/^\.$/, '')) : undefined,
    unpacks: unpack ?? isAdd,
  };
}

function insideRoot(path: string): string {
  return posix.resolve('/', path).slice(1) || '.';
}

function excludeOf(state: StageState, { instruction }: CopyStatement, pattern: string): string {
  try {
    parseIgnore(pattern);
    return pattern;
  } catch (cause) {
    throw errorAt(state.source, flagPosition(instruction, 'exclude'), {
      message: `--exclude=${pattern} is no valid pattern`,
      fix: 'Close brackets, and write a backslash before a character that is meant as it is.',
      cause,
    });
  }
}

function modeOf(state: StageState, statement: CopyStatement, chmod: string | undefined): ModeChange | undefined {
  if (chmod === undefined) return undefined;
  const change = parseMode(chmod);
  if (change !== undefined) return change;
  throw errorAt(state.source, flagPosition(statement.instruction, 'chmod'), {
    message: `--chmod=${chmod} is no mode`,
    fix: 'Write it in octal (--chmod=755) or as changes (--chmod=u=rwX,go=rX).',
  });
}
