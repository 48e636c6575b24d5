import { messageOf, UserError, type ErrorKind } from '../../lib/errors.ts';

/** The body of an error as Docker's clients expect it (`message`); `code` and `fix` are Bascule's own. */
export interface ErrorBody {
  readonly message: string;
  readonly code?: string;
  readonly fix?: string;
}

const STATUS_OF: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  failed: 500,
  cancelled: 500,
  unsupported: 501,
  unavailable: 503,
};

/** Where dockerd has another status than what such an error is: clients look at it. */
const DOCKERS_STATUS: Readonly<Record<string, number>> = { 'container-not-paused': 500, 'not-connected': 500 };

/** HTTP status of anything that was thrown; what is not a UserError is a bug: 500. */
export function statusOf(error: unknown): number {
  return error instanceof UserError ? (DOCKERS_STATUS[error.code] ?? STATUS_OF[error.kind]) : 500;
}

export function errorBodyOf(error: unknown): ErrorBody {
  if (!(error instanceof UserError)) return { message: messageOf(error) };
  return { message: messageFor(error), code: error.code, fix: error.fix };
}

/** Docker's clients print the message only: for mistakes in a Dockerfile it says what to do, too. */
function messageFor({ code, message, fix, details }: UserError): string {
  if (details['docker'] === message) return message;
  return code.startsWith('dockerfile-') ? `${message}\n${fix}` : message;
}

/** The same failure in dockerd's own words, where it has them: for its clients, and what reads their output. */
export function inDockersWords(error: unknown): unknown {
  if (!(error instanceof UserError) || typeof error.details['docker'] !== 'string') return error;
  const { code, kind, fix, details } = error;
  return new UserError({ code, kind, message: error.details['docker'], fix, details, cause: error });
}

export function invalidParameter(message: string, fix = 'See the Docker Engine API reference.'): UserError {
  return new UserError({ code: 'invalid-parameter', kind: 'invalid', message, fix });
}

/** The name or id of a container, where one must be given. @throws UserError `invalid-parameter` */
export function givenName(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalidParameter('invalid name or ID supplied: ""', 'Name the container.');
}

/** Something that Docker can do and Bascule cannot yet: never ignored in silence. */
export function unsupported(what: string, fix = 'Leave it out; it comes with a later release of Bascule.'): UserError {
  return new UserError({
    code: 'unsupported',
    kind: 'unsupported',
    message: `${what} is not supported by Bascule's engine yet`,
    fix,
  });
}
