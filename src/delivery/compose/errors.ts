import { UserError } from '../../lib/errors.ts';
import type { Position } from './position.ts';

export interface ComposeProblem {
  readonly at?: Position | undefined;
  /** `services.web.ports[0]`; empty: the file as a whole. */
  readonly path?: string;
  readonly message: string;
  readonly fix: string;
  readonly cause?: unknown;
}

/** `compose.yaml:7:9: services.web.ports[0]: invalid port "x"`, code `compose-invalid`. */
export function composeError(problem: ComposeProblem): UserError {
  const { at, path = '' } = problem;
  const where = at === undefined ? '' : `${at.source.label}:${at.line}:${at.column}: `;
  return new UserError({
    code: 'compose-invalid',
    kind: 'invalid',
    message: `${where}${path === '' ? '' : `${path}: `}${problem.message}`,
    fix: problem.fix,
    details: { path, ...(at && { file: at.source.path, line: at.line, column: at.column }) },
    ...(problem.cause !== undefined && { cause: problem.cause }),
  });
}
