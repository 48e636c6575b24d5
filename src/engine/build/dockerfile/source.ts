import { type ErrorKind, UserError } from '../../../lib/errors.ts';

/** The text of a Dockerfile and the name that errors give it. */
export interface Source {
  readonly file: string;
  /** Physical lines, without their ends. */
  readonly lines: readonly string[];
  /** The same lines with their ends, for here-documents: these keep carriage returns. */
  readonly wholeLines: readonly string[];
}

/** Both count from 1; a column is one UTF-16 unit. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Complaint {
  readonly message: string;
  readonly fix: string;
  readonly code?: string;
  readonly kind?: ErrorKind;
  readonly cause?: unknown;
  /** The whole message as dockerd's classic builder has it, for its clients. */
  readonly docker?: string;
  /** Beside file, line, column and the line's text. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export function sourceOf(text: string, file: string): Source {
  const withoutMark = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const raw = withoutMark.split('\n');
  if (raw.at(-1) === '') raw.pop();
  return {
    file,
    lines: raw.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)),
    wholeLines: raw.map((line) => `${line}\n`),
  };
}

/** A UserError that shows `file:line:column` and the offending line (`dockerfile-invalid` unless told otherwise). */
export function errorAt(source: Source, position: Position, complaint: Complaint): UserError {
  const { line, column } = position;
  return new UserError({
    code: complaint.code ?? 'dockerfile-invalid',
    kind: complaint.kind ?? 'invalid',
    message: `${source.file}:${line}:${column}: ${complaint.message}\n${excerpt(source, position)}`,
    fix: complaint.fix,
    details: {
      ...complaint.details,
      said: complaint.message,
      file: source.file,
      line,
      column,
      near: source.lines[line - 1] ?? '',
      ...(complaint.docker === undefined ? {} : { docker: complaint.docker }),
    },
    ...(complaint.cause === undefined ? {} : { cause: complaint.cause }),
  });
}

/** How dockerd begins what is wrong with a line. */
export function parseErrorOn({ line }: Position, what: string): string {
  return `dockerfile parse error on line ${line}: ${what}`;
}

/** For what the reference knows and this builder does not do yet. */
export function unsupportedAt(source: Source, position: Position, what: string): UserError {
  return errorAt(source, position, {
    code: 'dockerfile-unsupported',
    kind: 'unsupported',
    message: `${what} is not supported yet`,
    fix: `Leave it out, or do the same in another way; nothing was built.`,
  });
}

function excerpt(source: Source, { line, column }: Position): string {
  const text = source.lines[line - 1] ?? '';
  const number = String(line);
  return `  ${number} | ${text}\n  ${' '.repeat(number.length)} | ${' '.repeat(Math.max(0, column - 1))}^`;
}
