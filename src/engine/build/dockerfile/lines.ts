import { errorAt, type Position, type Source } from './source.ts';
import { type HeredocStart, heredocStarts } from './heredoc-start.ts';

/** A here-document (Dockerfile reference: Here-Documents). */
export interface Heredoc extends HeredocStart {
  /** As it is in the file, with the last line end. */
  readonly content: string;
}

/** One instruction's text, its continuation lines joined, and where each part of it is in the file. */
export interface LogicalLine {
  readonly text: string;
  readonly line: number;
  readonly endLine: number;
  readonly heredocs: readonly Heredoc[];
  /** The comment lines directly above, without their `#`; an empty line or comment cuts off what is above it. */
  readonly comments: readonly string[];
  /** `offset` in `text` at which something of `line`, `column` begins; ascending. */
  readonly segments: readonly { readonly offset: number; readonly position: Position }[];
}

/** Parser directives (Dockerfile reference: Parser directives). */
export interface Directives {
  readonly escape: '\\' | '`';
  readonly syntax?: string;
  readonly check?: string;
  readonly checkLine?: number;
}

export interface EmptyContinuation {
  readonly line: number;
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const TAKES_HEREDOC = /^(?:onbuild\s+)?(?:run|copy|add)\s/i;

/** Position of a character of a logical line in the file. */
export function positionIn(line: LogicalLine, offset: number): Position {
  const segment = line.segments.findLast((candidate) => candidate.offset <= offset) ?? line.segments[0];
  if (segment === undefined) return { line: line.line, column: 1 };
  return { line: segment.position.line, column: segment.position.column + offset - segment.offset };
}

export function readDirectives(source: Source): Directives {
  const seen = new Map<string, string>();
  const lines = new Map<string, number>();
  for (const [index, line] of source.lines.entries()) {
    const match = DIRECTIVE.exec(line.trimStart());
    const name = match?.[1]?.toLowerCase() ?? '';
    const value = match?.[2] ?? '';
    if (name !== 'escape' && name !== 'syntax' && name !== 'check') break;
    const position = { line: index + 1, column: 1 };
    if (seen.has(name)) {
      throw errorAt(source, position, {
        message: `only one ${name} parser directive can be used`,
        fix: 'Remove one of them.',
      });
    }
    if (name === 'escape' && value !== '\\' && value !== '`') {
      throw errorAt(source, position, {
        message: `invalid escape token "${value}"`,
        fix: 'It is either \\ or `.',
      });
    }
    seen.set(name, value);
    lines.set(name, position.line);
  }
  const [syntax, check] = [seen.get('syntax'), seen.get('check')];
  return {
    escape: seen.get('escape') === '`' ? '`' : '\\',
    ...(syntax === undefined ? {} : { syntax }),
    ...(check === undefined ? {} : { check, checkLine: lines.get('check') ?? 1 }),
  };
}

/** Joins continuation lines, leaves out comments and empty lines, and takes in here-documents. */
export function readLogicalLines(
  source: Source,
  escape: string,
): { readonly lines: readonly LogicalLine[]; readonly emptyContinuations: readonly EmptyContinuation[] } {
  const lines: LogicalLine[] = [];
  const emptyContinuations: EmptyContinuation[] = [];
  let index = 0;
  while (index < source.lines.length) {
    const joined = joinLines(source, index, escape);
    if (joined.hasEmptyContinuation) emptyContinuations.push({ line: joined.line.endLine });
    index = joined.next;
    if (joined.line.text === '') continue;
    const { heredocs, next } = readHeredocs(source, joined.line, index);
    lines.push({ ...joined.line, heredocs, endLine: next, comments: commentsBefore(source, joined.line.line) });
    index = next;
  }
  return { lines, emptyContinuations };
}

function commentsBefore(source: Source, line: number): readonly string[] {
  const comments: string[] = [];
  for (let index = line - 2; index >= 0; index--) {
    const [, comment = ''] = /^\s*#\s*(.*?)\s*$/.exec(source.lines[index] ?? '') ?? [];
    if (comment === '') break;
    comments.unshift(comment);
  }
  return comments;
}

interface Joined {
  readonly line: LogicalLine;
  readonly next: number;
  readonly hasEmptyContinuation: boolean;
}

function joinLines(source: Source, from: number, escape: string): Joined {
  const first = source.lines[from] ?? '';
  const segments: { offset: number; position: Position }[] = [];
  let text = '';
  let hasEmptyContinuation = false;
  let isContinued = true;
  let index = from;
  for (; isContinued && index < source.lines.length; index++) {
    const raw = source.lines[index] ?? '';
    const part = index === from ? raw.trimStart() : raw;
    const isComment = part.trimStart().startsWith('#');
    if (index > from && (isComment || part.trim() === '')) {
      hasEmptyContinuation ||= !isComment;
      continue;
    }
    const cut = cutContinuation(isComment ? '' : part, escape);
    isContinued = cut.isContinued;
    segments.push({
      offset: text.length,
      position: { line: index + 1, column: 1 + (index === from ? first.length - part.length : 0) },
    });
    text += cut.text;
  }
  return {
    line: { text, line: from + 1, endLine: index, heredocs: [], comments: [], segments },
    next: index,
    hasEmptyContinuation,
  };
}

/** A line goes on when it ends in one escape character; two of them are an escaped one. */
function cutContinuation(line: string, escape: string): { readonly text: string; readonly isContinued: boolean } {
  const trimmed = line.replace(/[ \t]+$/, '');
  if (!trimmed.endsWith(escape) || trimmed.endsWith(escape + escape)) return { text: line, isContinued: false };
  return { text: trimmed.slice(0, -1), isContinued: true };
}

function readHeredocs(
  source: Source,
  line: LogicalLine,
  from: number,
): { readonly heredocs: readonly Heredoc[]; readonly next: number } {
  if (!TAKES_HEREDOC.test(line.text)) return { heredocs: [], next: from };
  const heredocs: Heredoc[] = [];
  let next = from;
  for (const { offset, ...start } of heredocStarts(line.text)) {
    const end = source.lines.findIndex(
      (candidate, index) =>
        index >= next && (start.stripsTabs ? candidate.replace(/^\t+/, '') : candidate) === start.name,
    );
    if (end < 0) {
      throw errorAt(source, positionIn(line, offset), {
        message: `unterminated heredoc: no line "${start.name}" follows`,
        fix: `End it with a line that holds only ${start.name}.`,
      });
    }
    heredocs.push({ ...start, content: source.wholeLines.slice(next, end).join('') });
    next = end + 1;
  }
  return { heredocs, next };
}

/** What a here-document holds once its leading tabs are off, where it asks for that. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.stripsTabs ? heredoc.content.replaceAll(/^\t+/gm, '') : heredoc.content;
}
